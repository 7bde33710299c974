"""Generated from ``protos/fleet/v1``; run ``make protos`` after editing those. This file alone is written by hand."""
