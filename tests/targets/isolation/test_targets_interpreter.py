"""What user code does to the interpreter: alarms, signal handlers and warnings are afterwards as they were."""

from __future__ import annotations

import signal
import threading
import time
import warnings

from targets.isolation import isolated


def test_an_alarm_from_outside_rings_when_it_would_have():
    rung: list[float] = []
    handler = signal.signal(signal.SIGALRM, lambda *_: rung.append(time.monotonic()))
    try:
        begun = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, 0.15)
        with isolated():
            signal.signal(signal.SIGALRM, signal.SIG_IGN)
            signal.alarm(1000)
        while not rung and time.monotonic() < begun + 5:
            time.sleep(0.01)
        assert rung[0] >= begun + 0.15
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        with isolated():
            while len(rung) < 2 and time.monotonic() < begun + 5:
                time.sleep(0.01)
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)  # it has rung: not again
        assert len(rung) == 2
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)


def test_a_warning_is_still_shown_once(recwarn):
    def warn() -> None:
        warnings.warn("once is enough", UserWarning, stacklevel=1)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(3):
            with isolated():
                warn()
    assert len(caught) == 1


def test_signal_handlers_are_left_to_the_main_thread():
    failures: list[BaseException] = []

    def work() -> None:
        try:
            with isolated():
                pass
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert failures == []
