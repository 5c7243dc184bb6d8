"""What people write for speed: asyncio and aiohttp, the rows read from the CSV file, one JSON line a row."""
import asyncio
import csv
import json
import ssl
import sys

import aiohttp


async def work(session, url, rows, out):
    for row in rows:
        path = f"{url}/v1/users/{row['userId']}/sidTokens/{row['operation']}"
        async with session.patch(path, json={"tokenSerialNumber": row["tokenSerialNumber"]}) as reply:
            answer = await reply.json()
        out.write(json.dumps({**row, "status": reply.status, "tokenStatus": answer["tokenStatus"]}) + "\n")


async def main():
    url, ca, connections, job, result, bearer = sys.argv[1:7]
    context = ssl.create_default_context(cafile=ca)
    connector = aiohttp.TCPConnector(limit=int(connections), ssl=context)
    with open(job, newline="") as file, open(result, "w") as out:
        rows = iter(csv.DictReader(file))
        async with aiohttp.ClientSession(connector=connector, headers={"Authorization": f"Bearer {bearer}"}) as session:
            await asyncio.gather(*(work(session, url, rows, out) for _ in range(int(connections))))


asyncio.run(main())
