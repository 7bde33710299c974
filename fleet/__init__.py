"""khulan: the control server for fleets of unmanned trucks on a closed border corridor."""
