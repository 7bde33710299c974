"""The rules of the design, each a switch that can be taken out, and the bounds within which every state is explored."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """
    Which rules hold; with all of them it is the design. Each names what keeps it in the product.

    handshake                until a truck said hello in its epoch, a server believes it nothing and gives it nothing
                             (`ControlLoop._take`, `Ledger._require_lawful`); the hello is what older reports are older than
                             (`Telemetry.admit`), so what a truck may hold is freed only once it acknowledged the epoch
    acknowledged_shortening  road is free when the truck has answered, not when it was asked (`Ledger.acknowledge`)
    answer_before_grant      no grant while a shortening waits for its answer (`Ledger._require_lawful`)
    journal_before_send      words leave when the journal has what they rest on (`JournalWriter`, `Switchboard.say_durable`)
    journal_recovery         a server begins with all that the journal tells (`Engine.recover`, `Ledger.apply`)
    fenced_append            the journal takes facts of its newest epoch alone (`SqliteJournal.append`)
    fence_before_read        nobody appends between a server's reading and its taking charge (`SqliteJournal`: the folder is
                             locked before either; servers without such a lock must acquire before they recover)
    agreed_epoch             a truck takes words of the epoch it was welcomed to alone (`Permission.agree`)
    sequence_check           a truck takes rising terms alone (`Permission._is_new`)
    durable_terms            the highest term a truck took outlives its onboard computer (`FileStore.remember`)

    A server believes the place a hello names, so one more must hold:

    fresh_hello              no hello is believed a pass late: one older than what its truck said since is refused
                             (`Admission.hear`)
    """

    handshake: bool = True
    acknowledged_shortening: bool = True
    answer_before_grant: bool = True
    journal_before_send: bool = True
    journal_recovery: bool = True
    fenced_append: bool = True
    fence_before_read: bool = True
    agreed_epoch: bool = True
    sequence_check: bool = True
    durable_terms: bool = True
    fresh_hello: bool = True

    def without(self, rule: str) -> Design:
        """This design but for one *rule*."""
        return replace(self, **{rule: False})


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """
    How far every state is explored.

    passes     each truck makes through the zone; two are a round trip, and only then is there an earlier one to hear of late
    epochs     servers that take charge, one after another
    sequences  grants and shortenings to one truck in one epoch
    servers    alive at once, whether in charge or not
    restarts   whether onboard computers restart, at any instant and any number of times
    """

    passes: int = 2
    epochs: int = 2
    sequences: int = 2
    servers: int = 2
    restarts: bool = False
