"""First come, first served; its owner may take it again."""

import threading
import time

import pytest

from codesample.sampling.turn_lock import TurnLock


def test_threads_get_it_in_the_order_in_which_they_ask():
    lock, order, threads = TurnLock(), [], []

    def ask(name):
        with lock:
            order.append(name)

    with lock, lock:
        for name in range(8):
            threads.append(threading.Thread(target=ask, args=(name,)))
            threads[-1].start()
            while len(lock._queue) <= name:
                time.sleep(0.001)
        assert lock.wanted
        assert not lock.held_elsewhere
    for thread in threads:
        thread.join(30)
    assert order == list(range(8))
    assert not lock.wanted


def test_whoever_takes_it_again_and_again_keeps_nobody_out():
    lock, turns, stop = TurnLock(), {0: 0, 1: 0}, threading.Event()

    def take(name):
        while not stop.is_set():
            with lock:
                turns[name] += 1

    threads = [threading.Thread(target=take, args=(name,)) for name in turns]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    stop.set()
    for thread in threads:
        thread.join(30)
    assert min(turns.values()) > 0.2 * max(turns.values())


def test_an_interrupted_wait_leaves_the_lock_to_others(monkeypatch):
    lock = TurnLock()
    held, done = threading.Event(), threading.Event()

    def hold():
        with lock:
            held.set()
            done.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(30)

    class Interrupted:
        def wait(self):
            raise KeyboardInterrupt

    monkeypatch.setattr("codesample.sampling.turn_lock.threading.Event", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        lock.__enter__()
    assert not lock.wanted
    assert lock.held_elsewhere
    done.set()
    thread.join(30)
    with lock:
        assert not lock.held_elsewhere
