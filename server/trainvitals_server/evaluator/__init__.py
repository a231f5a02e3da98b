"""Judges every run as it goes: new frames to windows, windows to rules, symptoms to findings with a life."""

from trainvitals_server.evaluator.evaluator import Evaluator

__all__ = ["Evaluator"]
