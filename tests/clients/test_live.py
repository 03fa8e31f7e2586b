"""The feed with the clients of npm: connections are cut at random, and nobody misses or repeats."""

import json
import os
import random
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx2

from tests import npm
from tests.fault.servers import gateway
from tests.proxies import Proxy

pytestmark = npm.needed

CHANGES = int(os.environ.get("CASEGRAPH_CHANGES", "250"))
"""About how many changes four writers make; 2,000 in a long run."""
CLIENTS = 20
WRITERS = 4
END = "The last one"


def write(server, writer, changes):
    """Create, change and delete cases."""
    chance = random.Random(writer)
    there = []
    with server.client() as http:
        for n in range(changes):
            if there and chance.random() < 0.2:
                gone = there.pop(chance.randrange(len(there)))
                assert http.delete(f"/api/v1/cases/{gone}").status_code == 204
            elif there and chance.random() < 0.4:
                path = f"/api/v1/cases/{chance.choice(there)}"
                assert http.put(path, json={"name": f"{writer}.{n}"}).status_code == 200
            else:
                made = http.post("/api/v1/cases", json={"name": f"{writer}-{n}"})
                there.append(made.json()["id"])


def feed(server, cursor):
    """All changes after a cursor, as the clients tell of them."""
    found, more = [], True
    with server.client() as http:
        while more:
            page = http.get("/api/v1/changes", params={"limit": 100, "cursor": cursor}).json()
            found += [[one["seq"], one["type"], one["case_id"]] for one in page["data"]]
            more, cursor = page["pagination"]["has_more"], page["pagination"]["cursor"]
    return found


def test_every_client_ends_with_all_changes_in_order_though_it_is_cut_off(tmp_path):
    folder = npm.project(tmp_path / "project", "live.js")
    # The server may take a moment to notice that a connection is gone.
    with gateway(tmp_path, subscriptions=3 * CLIENTS) as server:
        with server.client() as http:
            http.post("/api/v1/cases", json={"name": "The first one"})
            begin = http.get("/api/v1/changes").json()["pagination"]["cursor"]
        proxy = Proxy(int(server.url.rpartition(":")[2]))
        written, over = threading.Event(), threading.Event()

        def cut_at_random():
            chance, times = random.Random(1), 1.0
            while not over.wait(times * chance.uniform(0.05, 0.4)):
                proxy.cut_some(chance)
                if written.is_set():
                    times *= 1.2  # a slow machine may need longer to go on than until the next cut

        through = f"http://127.0.0.1:{proxy.port}/graphql"
        command = ["node", "live.js", server.url, server.key, through, CLIENTS, begin, END]
        process = subprocess.Popen(list(map(str, command)), cwd=folder)
        killer = threading.Thread(target=cut_at_random)
        killer.start()
        try:
            with ThreadPoolExecutor(WRITERS) as pool:
                each = CHANGES // WRITERS
                tasks = [pool.submit(write, server, n, each) for n in range(WRITERS)]
                for task in tasks:
                    task.result()
            time.sleep(0.5)
            httpx2.post(
                f"{server.url}/api/v1/cases",
                json={"name": END},
                headers={"Authorization": f"Bearer {server.key}"},
            )
            written.set()
            process.wait(120)
        finally:
            over.set()
            killer.join()
            process.kill()
            proxy.close()
        expected = feed(server, begin)

    clients = json.loads((folder / "told.json").read_text())
    assert process.returncode == 0
    assert len(clients) == CLIENTS
    assert len(expected) > CHANGES * 0.9
    assert "case_deleted" in {one[1] for one in expected}
    assert all(one["seen"] == expected for one in clients)
    assert sum(one["lost"] for one in clients) > CLIENTS
