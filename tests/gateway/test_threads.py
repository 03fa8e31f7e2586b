"""Work aside gives what it gives, and keeps no process from ending."""

import asyncio
import subprocess
import sys
import threading

import pytest

from gateway.threads import aside

SLEEPS = """
import asyncio, socket, time
from {module} import {name}

async def main():
    {work}
    await asyncio.sleep(.2)

asyncio.run(main())
print("ended")
"""
LOOKUP = """
    socket.getaddrinfo = lambda *_, **__: time.sleep(60)
    sender = Sender([])
    asked = asyncio.create_task(sender.send("https://slow.example/", b"", {}))
    await asyncio.sleep(.2)
    asked.cancel()
    await sender.close()
"""


async def test_it_gives_what_the_work_gives():
    assert await aside(lambda a, b: (a, b, threading.current_thread().daemon), 1, 2) == (1, 2, True)


async def test_it_raises_what_the_work_raises():
    with pytest.raises(ZeroDivisionError):
        await aside(lambda: 1 / 0)


async def test_who_does_not_wait_any_more_is_told_nothing(caplog):
    over, ended = threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def work():
        over.wait(20)
        loop.call_soon_threadsafe(loop.call_soon, ended.set)  # after what it gives is told

    future = aside(work)
    future.cancel()
    over.set()
    await asyncio.wait_for(ended.wait(), 20)

    assert future.cancelled()
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("module", "name", "work"),
    [
        ("gateway.threads", "aside", "aside(time.sleep, 60)"),
        ("gateway.webhooks.sending", "Sender", LOOKUP),
    ],
)
def test_a_process_ends_without_waiting_for_it(module, name, work):
    code = SLEEPS.format(module=module, name=name, work=work)

    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)

    assert (ended.stdout, ended.stderr) == ("ended\n", "")
