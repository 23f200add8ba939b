"""`load.py URL STOP_FILE WORD`: asks until the file is there, then prints what it was answered.

Half of the clients keep their connection for as long as they are let, as HTTP libraries do. With a
fourth argument, `patient`, they also do what those do when it is closed: they look before they ask
again, and if it is closed at that very moment, with no byte of an answer, they ask once more on
another one, as OpenAI's does (`crossed` counts that). And there are some more whose answers take
long.
"""

from __future__ import annotations

import http.client
import json
import select
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

# Between two requests of one client: on two busy cores they are not what is measured.
PAUSE = 0.05
STREAM_SECONDS = 3
# Not one number: a pod that ends would find all of them at the same point.
SLOW_SECONDS = (8, 10, 12, 14)


class Clients:
    def __init__(self, url: str, stop: Path, word: str, *, patient: bool) -> None:
        self._patient = patient
        self._netloc = urlsplit(url).netloc
        self._stop = stop
        self._word = word
        self._counting = threading.Lock()
        self.counted: Counter[str] = Counter()
        self.failures: list[str] = []

    def run(self) -> None:
        work: list[Callable[[], None]] = [self._kept, self._fresh, self._kept, self._fresh]
        work += [self._streams, self._streams]
        if self._patient:
            work += [partial(self._kept, "slow", seconds) for seconds in SLOW_SECONDS]
        threads = [threading.Thread(target=each) for each in work]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _kept(self, what: str = "answers", seconds: float = 0) -> None:
        connection = self._connect()
        is_used = False
        while not self._stop.exists():
            answered = self._ask(connection, what, seconds, is_used=is_used and self._patient)
            is_used = answered
            if answered:
                time.sleep(PAUSE)
            if not answered or self._is_closed(connection):
                connection.close()
                connection = self._connect()
                is_used = False

    def _fresh(self) -> None:
        while not self._stop.exists():
            connection = self._connect()
            self._ask(connection, "answers")
            connection.close()
            time.sleep(PAUSE)

    def _streams(self) -> None:
        while not self._stop.exists():
            connection = self._connect()
            self._ask(connection, "streams", STREAM_SECONDS, stream=True)
            connection.close()

    def _is_closed(self, connection: http.client.HTTPConnection) -> bool:
        if not self._patient or connection.sock is None:
            return False
        return bool(select.select([connection.sock], [], [], 0)[0])

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self._netloc, timeout=30)

    def _ask(
        self,
        connection: http.client.HTTPConnection,
        what: str,
        seconds: float = 0,
        *,
        stream: bool = False,
        is_used: bool = False,
    ) -> bool:
        text = f"{self._word} SECONDS={seconds}"
        body = {"model": "auto", "messages": [{"role": "user", "content": text}], "stream": stream}
        started = time.time()
        answer = None
        try:
            headers = {"content-type": "application/json"}
            connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            if is_used and answer is None and isinstance(error, ConnectionError):
                with self._counting:
                    self.counted["crossed"] += 1
                connection.close()
                return self._ask(connection, what, seconds)
            self._fail(f"{what}: {type(error).__name__}: {error}", started)
            return False
        complete = content.endswith(b"data: [DONE]\n\n") if stream else b'"choices"' in content
        if answer.status != 200 or not complete:
            self._fail(f"{what}: {answer.status} {content[-200:]!r}", started)
            return False
        with self._counting:
            self.counted[what] += 1
        return True

    def _fail(self, text: str, started: float) -> None:
        with self._counting:
            lasted = time.time() - started
            self.failures.append(
                f"{time.strftime('%X', time.gmtime(started))} +{lasted:.1f} {text}"
            )


if __name__ == "__main__":
    url, stop, word, *options = sys.argv[1:]
    clients = Clients(url, Path(stop), word, patient="patient" in options)
    clients.run()
    print(json.dumps({**clients.counted, "failures": clients.failures[:20]}))
