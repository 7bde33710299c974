"""The truck's line to its server: protobuf translated and checked, and the gRPC stream that carries it."""

from fleet.onboard.link.channels import CHANNEL_OPTIONS
from fleet.onboard.link.outbox import Outbox
from fleet.onboard.link.sealed import SealedInterpreter
from fleet.onboard.link.stream import Line
from fleet.onboard.link.translation import Interpreter, heard_of, message_of

__all__ = ["CHANNEL_OPTIONS", "Interpreter", "Line", "Outbox", "SealedInterpreter", "heard_of", "message_of"]
