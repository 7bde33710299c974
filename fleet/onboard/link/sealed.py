"""
A truck behind a gateway that has a key: what it says carries codes, and what it is told without a right one is as good as not said.

The gateway turns rows of frames into words for one truck, and a truck's reports into rows; the codes are the same either way. A refusal
alone is heard without a code: nothing moves by it, and a server that does not know the truck's key cannot make one.
"""

from __future__ import annotations

from fleet.mac import CodeWrong, Kind, Session, hello_code, right
from fleet.onboard.link.translation import Interpreter
from fleet.v1 import gateway_pb2, truck_pb2


class SealedInterpreter:
    """Speaks for a truck as `Interpreter` does, in words that a gateway can carry and nobody can make."""

    def __init__(self, interpreter: Interpreter, key: bytes) -> None:
        self.interpreter = interpreter
        self.refused_count = 0
        self._key = key
        self._hello: truck_pb2.Hello | None = None
        self._session: Session | None = None
        self._said = 0
        self._heard = 0

    def hello(self, now_ns: int) -> gateway_pb2.RelayedTruckMessage:
        """Who the truck is; the present session goes on until the server's welcome begins another."""
        message = self.interpreter.hello(now_ns)
        self._hello = message.hello
        return self._relayed(message, hello_code(self._key, message.hello))

    def say(self, messages: list[truck_pb2.TruckMessage]) -> list[gateway_pb2.RelayedTruckMessage]:
        """*messages* of the truck with their codes; before the first welcome nobody would hear them, and they are dropped."""
        return [] if self._session is None else [self._sealed(self._session, message) for message in messages]

    def receive(self, relayed: gateway_pb2.RelayedControlMessage, now_ns: int) -> list[gateway_pb2.RelayedTruckMessage]:
        """Takes one word and returns what is to be said because of it; one that has no right code is dropped, and said to be."""
        message = relayed.message
        if message.HasField("welcome"):
            genuine = self._begins(relayed)
        else:
            genuine = message.HasField("refusal") or (self._session is not None and self._is_genuine(self._session, relayed))
        if genuine:
            return self.say(self.interpreter.receive(message, now_ns))
        self.refused_count += 1
        supervisor = self.interpreter.supervisor
        what = message.WhichOneof("content") or "message"
        supervisor.refuse(what, CodeWrong(truck_id=supervisor.identity.truck_id, what=what), now_ns)
        return self.say(self.interpreter.drain())

    def _begins(self, relayed: gateway_pb2.RelayedControlMessage) -> bool:
        """Whether a welcome answers the newest hello, by the code of the session it would begin; then that session begins."""
        said, hello = relayed.message.welcome, self._hello
        if hello is None or said.hello_stamp_ns != hello.report.stamp_ns:
            return False
        session = Session(self._key, hello, epoch=said.epoch, number=said.session, version=said.wire_version)
        if not right(session.welcome(said), relayed.mac):
            return False
        # Its answer counts once: told again it would set the counters back.
        self._session, self._hello, self._said, self._heard = session, None, 0, 0
        return True

    def _is_genuine(self, session: Session, relayed: gateway_pb2.RelayedControlMessage) -> bool:
        message = relayed.message
        if message.HasField("authority"):
            return right(session.authority(message.authority), relayed.mac)
        if message.HasField("heartbeat"):
            return right(session.heartbeat(message.heartbeat), relayed.mac)
        if relayed.counter <= self._heard or not right(session.word(Kind.TO_TRUCK, relayed.counter, message), relayed.mac):
            return False
        self._heard = relayed.counter
        return True

    def _sealed(self, session: Session, message: truck_pb2.TruckMessage) -> gateway_pb2.RelayedTruckMessage:
        if message.HasField("report"):
            return self._relayed(message, session.report(message.report))
        self._said += 1
        return self._relayed(message, session.word(Kind.TO_SERVER, self._said, message), self._said)

    def _relayed(self, message: truck_pb2.TruckMessage, code: bytes, counter: int = 0) -> gateway_pb2.RelayedTruckMessage:
        truck_id = self.interpreter.supervisor.identity.truck_id
        return gateway_pb2.RelayedTruckMessage(truck_id=truck_id, message=message, mac=code, counter=counter)
