"""
The operator SDK: what one may ask of the server (`asks`), who asks it (`Operator`, `AsyncOperator`), and what comes back
(`values`). Runs without numpy and numba.

    from fleet.client import Operator, asks

    with Operator() as operator:
        for truck in operator.pages(asks.trucks):
            print(truck.truck_id, operator.ask(asks.explain(truck.truck_id)).sentence)
"""

from fleet.client import asks, values
from fleet.client.ask import Ask, Page
from fleet.client.asks import BayReport, CrossingDecision, IntrusionKind
from fleet.client.operator import DEFAULT_SERVER, AsyncOperator, NoLine, NoServer, Operator, Refused
from fleet.papers import PapersUnusable

__all__ = [
    "DEFAULT_SERVER",
    "Ask",
    "AsyncOperator",
    "BayReport",
    "CrossingDecision",
    "IntrusionKind",
    "NoLine",
    "NoServer",
    "Operator",
    "Page",
    "PapersUnusable",
    "Refused",
    "asks",
    "values",
]
