"""Killed at any moment, the gateway has lost nothing that it acknowledged; nothing is half done.

CASEGRAPH_KILLS says how often that is tried, CASEGRAPH_SEED repeats a run as far as that goes.
"""

import asyncio
import contextlib
import os
import random
import shutil
import signal
import time
from collections import Counter
from pathlib import Path

import httpx2
import pytest

from domain.storage.opening import opened
from domain.upkeep.verifying import verify
from tests import processes
from tests.fault.ledgers import Ledger, compare
from tests.fault.loads import Load
from tests.fault.servers import Gateway, gateway

KILLS = int(os.environ.get("CASEGRAPH_KILLS", "6"))
SEED = int(os.environ.get("CASEGRAPH_SEED", "0")) or time.time_ns() % 1_000_000
CLIENTS = 4
KILLS_A_DATABASE = 50
"""Then a new one is begun: verifying takes longer and longer."""

MOMENTS = {
    "while starting": 3,
    "at the first writes": 4,
    "under load": 8,
    "in a checkpoint": 6,
    "two workers": 2,
    "one worker, then all": 2,
}


class Killed:
    """A gateway that is killed again and again, with the ledgers of its clients."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.server = Gateway(folder)
        self.ledgers = [Ledger() for _ in range(CLIENTS)]
        self.there = self.absent = 0
        self._copy = folder / "copy.db"

    def round(self, number: int, moment: str, chance: random.Random) -> None:
        """Start it, write, kill it at the *moment*, and look at what it left."""
        if moment == "while starting":
            self.server.launch(start_new_session=True)
            time.sleep(chance.uniform(0.01, 0.5))
            self.kill()
            if not self.server.key:
                return  # it was the first start, and there may be no tables yet
        else:
            workers = 2 if "worker" in moment else 1
            self.server.start("--workers", workers, start_new_session=True)
            loads = self._loads(str(number))
            self._wait(moment, chance)
            self.kill()
            for load in loads:
                load.end()
            assert [load.surprises for load in loads if load.surprises] == []
        self.examine(moment)

    def kill(self) -> None:
        """End all its processes at once: workers would finish what they are doing."""
        process = self.server.process
        if process is not None:
            family = [process.pid, *processes.children(process.pid)]
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(60)
            self.server.process = None
            while any(map(processes.is_running, family)):
                time.sleep(0.002)

    def examine(self, moment: str) -> None:
        """Compare with the ledgers and verify: a copy, so that the gateway itself recovers."""
        for suffix in ("", "-wal", "-shm", "-lock"):
            copy = self._copy.with_name(self._copy.name + suffix)
            copy.unlink(missing_ok=True)
            original = self.server.database.with_name(self.server.database.name + suffix)
            if suffix in ("", "-wal") and original.exists():
                shutil.copy(original, copy)
        found = compare(self._copy, self.ledgers)
        assert found.problems == [], moment
        assert asyncio.run(_findings(self._copy)) == []
        self.there += found.there
        self.absent += found.absent

    def stop(self) -> None:
        """Start it once more, send again what may have been lost, and stop it for good."""
        self.server.start()
        loads = self._loads("last")
        time.sleep(0.2)
        for load in loads:
            load.end()
        self.server.stop()
        assert not any(ledger.doubts for ledger in self.ledgers)
        self.examine("at the end")
        self.server.command("verify")

    @property
    def acknowledged(self) -> int:
        return sum(ledger.acknowledged for ledger in self.ledgers)

    def _loads(self, name: str) -> list[Load]:
        loads = [
            Load(self.server, ledger, f"{SEED}.{name}.{client}")
            for client, ledger in enumerate(self.ledgers)
        ]
        for load in loads:
            load.start()
        return loads

    def _wait(self, moment: str, chance: random.Random) -> None:
        if moment == "at the first writes":
            time.sleep(chance.uniform(0, 0.03))
        elif moment == "in a checkpoint":
            time.sleep(chance.uniform(0.05, 0.3))
            _wait_for_change(self.server.database)
            time.sleep(chance.uniform(0, 0.01))
        else:
            time.sleep(chance.uniform(0.05, 0.5))
        if moment == "one worker, then all":
            os.kill(chance.choice(processes.workers(self.server.process.pid)), signal.SIGKILL)
            time.sleep(chance.uniform(0, 0.5))


async def _findings(database: Path) -> list[str]:
    async with opened(f"sqlite:///{database}", migrate=False) as copy:
        return [str(finding) for finding in (await verify(copy)).findings]


def _wait_for_change(database: Path) -> None:
    """Until the file itself is written, which only a checkpoint does."""
    before = database.stat().st_mtime_ns
    until = time.monotonic() + 5
    while database.stat().st_mtime_ns == before and time.monotonic() < until:
        time.sleep(0.0002)


def test_whatever_was_acknowledged_before_a_kill_is_there(tmp_path):
    print(f"CASEGRAPH_SEED={SEED}")
    chance = random.Random(SEED)
    moments = [*MOMENTS, *chance.choices([*MOMENTS], [*MOMENTS.values()], k=KILLS)][:KILLS]
    kills: Counter[str] = Counter()
    done: list[Killed] = []
    try:
        for number, moment in enumerate(moments):
            if number % KILLS_A_DATABASE == 0:
                if done:
                    done[-1].stop()
                done.append(Killed(tmp_path / str(number)))
            done[-1].round(number, moment, chance)
            kills[moment] += 1
        done[-1].stop()
    finally:
        done[-1].kill()
        print(
            f"{sum(kills.values())} kills {dict(kills)};"
            f" {sum(one.acknowledged for one in done)} writes acknowledged;"
            f" of those in flight {sum(one.there for one in done)} were done"
            f" and {sum(one.absent for one in done)} were not"
        )

    assert sum(one.acknowledged for one in done) > 20 * KILLS


def test_workers_end_after_their_supervisor_was_killed(tmp_path):
    with gateway(tmp_path, workers=2) as server:
        workers = processes.workers(server.process.pid)
        assert len(workers) == 2
        server.kill()
        until = time.monotonic() + 20
        while any(map(processes.is_running, workers)):
            assert time.monotonic() < until
            time.sleep(0.05)

    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"{server.url}/healthz")
