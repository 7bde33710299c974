"""
An exhaustive model of granting, shortening, restart and takeover.

Two trucks make round trips through one exclusive zone: out through it, and home through it again. Servers that share one journal
give them the zone and take it back. A server is killed, paused, overtaken by another, at any instant; what is said may be heard
late, twice, in any order, or never. `explore_design` visits every state this leads to within `Bounds` and looks whether both trucks
ever hold the zone. Each rule of the design is a switch of `Design`: with all of them they never do, and without any one of those
the argument rests on, the search returns the shortest way to harm.

A pause needs no step of its own: whoever is not chosen to step is paused, and every order of choosing is explored. Neither do loss,
delay and repetition: the wire is the set of all that was ever said, and each of it may be heard now, later, again, or not at all.

Steps that are one here and several in the product, and why nothing is lost by it:

- A server makes one fact durable at a time. A tick of many is as many of one: nobody but the journal stands between them.
- What a server hears is durable at once. Killed before it could append, it is as if it had not heard. What it *decides* waits for
  the journal, so that a kill or a takeover may come between.
- Words are on the wire as soon as what they rest on is durable. A server that dies before it speaks is a wire that loses.
- A truck reports from every place, and all its reports may be heard for ever after. It may drive on to its end when silence or a
  stop should have halted it: that is more than a real truck does.

What the bounds leave out is more of the same: rules compare terms and never count them, so that a fourth word or epoch meets no
comparison that the third did not. That is a reason, not a proof; the tests therefore widen each bound in turn. Two trucks stand
for any pair of many, and exclusivity is about pairs.

Left out altogether: routes, stops, quarantine, doubt and removal, which refuse words or keep road occupied; metres, speeds and
brakes, which are the supervisor's part; several passes given at once, which is holding the same zone for longer; and a journal
that lost its end, for which a hello that knows more than the journal stops everything.
"""
