"""What people write: asyncio, a fixed number of connections, exponential backoff with full jitter on 429."""
import asyncio
import json
import random
import ssl
import sys
import time

import aiohttp

USER = "eb2e12ae-1112-451b-98e1-dfe4e6afd60d"


async def work(session, url, numbers, end, counts):
    for n in numbers:
        body = {"tokenSerialNumber": f"{n:012}"}
        for attempt in range(1000):
            if time.monotonic() >= end:
                return
            async with session.patch(f"{url}/AdminInterface/restapi/v1/users/{USER}/sidTokens/enable", json=body) as reply:
                await reply.read()
            counts["requests"] += 1
            if reply.status != 429:
                break
            counts["throttled"] += 1
            await asyncio.sleep(random.uniform(0, min(30, 0.1 * 2 ** attempt)))


async def main():
    url, ca, connections, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    counts = {"requests": 0, "throttled": 0}
    numbers = iter(range(10**9))
    end = time.monotonic() + seconds
    context = ssl.create_default_context(cafile=ca)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections, ssl=context)) as session:
        await asyncio.gather(*(work(session, url, numbers, end, counts) for _ in range(connections)))
    print(json.dumps(counts))


asyncio.run(main())
