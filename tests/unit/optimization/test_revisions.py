"""Waiting threads are woken by a change and not before, and nothing is kept of a batch that is gone."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from stratopt.optimization.revisions import Revisions


def test_a_change_wakes_who_waits_for_that_number() -> None:
    revisions = Revisions()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(revisions.wait, "bat_1", 0, 60.0)
        while not waiting.done():
            revisions.touch("bat_1")
        assert waiting.result() >= 1


def test_who_has_not_seen_the_number_does_not_wait() -> None:
    revisions = Revisions()
    revisions.touch("bat_1")
    began = time.monotonic()
    assert revisions.wait("bat_1", 0, 60.0) == 1
    assert time.monotonic() - began < 30


def test_waiting_ends_after_its_seconds_with_the_number_as_it_is() -> None:
    revisions = Revisions()
    assert revisions.wait("bat_1", 0, 0.05) == 0
    assert revisions.wait("bat_1", 0, -1.0) == 0


def test_who_is_woken_without_a_change_looks_again() -> None:
    revisions, woken = Revisions(), threading.Event()

    def wait() -> int:
        number = revisions.wait("bat_1", 0, 60.0)
        woken.set()
        return number

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait)
        while not woken.wait(0.01):
            revisions.wake()
        assert waiting.result() == 0


def test_a_batch_that_is_gone_leaves_nothing() -> None:
    revisions = Revisions()
    revisions.touch("bat_1")
    revisions.touch("bat_2")
    revisions.forget("bat_1")
    revisions.forget("bat_none")
    assert (revisions.of("bat_1"), revisions.of("bat_2")) == (0, 1)


def test_who_waits_for_a_batch_that_is_removed_looks_again() -> None:
    revisions = Revisions()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(revisions.wait, "bat_1", 0, 60.0)
        until = time.monotonic() + 20
        while not waiting.done() and time.monotonic() < until:
            revisions.forget("bat_1")
        revisions.wake()
        assert time.monotonic() < until
        assert waiting.result() == 0
