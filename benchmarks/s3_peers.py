"""What the Python libraries for S3 do, each as its own documentation advises for many objects: a program to measure.

``python s3_peers.py boto3|obstore|s3fs up|down|list FOLDER BUCKET PREFIX``; the service stands in the environment.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

CONCURRENCY = int(os.environ.get("BENCHMARK_CONCURRENCY", "16"))
PART = 8 << 20

Pairs = list[tuple[str, str]]
"""File and key of each object."""


def with_boto3(verb: str, folder: str, bucket: str, prefix: str) -> None:
    """Use s3transfer, as boto3's own ``upload_file`` does, with one manager for all objects."""
    import boto3
    from botocore.config import Config
    from s3transfer.manager import TransferConfig, TransferManager

    settings: Any = Config(max_pool_connections=CONCURRENCY, s3={"addressing_style": "path"})
    client: Any = boto3.client("s3", config=settings)
    listing = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/")
    keys = (one["Key"] for page in listing for one in page.get("Contents", ()))
    if verb == "list":
        _count(keys)
        return
    config: Any = TransferConfig(
        max_request_concurrency=CONCURRENCY, multipart_threshold=PART, multipart_chunksize=PART
    )
    with TransferManager(client, config) as manager:
        if verb == "up":
            waiting = [manager.upload(file, bucket, key) for file, key in _files(folder, prefix)]
        else:
            waiting = [manager.download(bucket, key, file) for file, key in _targets(folder, prefix, keys)]
        for one in waiting:
            one.result()


def with_obstore(verb: str, folder: str, bucket: str, prefix: str) -> None:
    """Use obstore, which is Rust inside, from asyncio."""
    import obstore
    from obstore.store import S3Store

    store: Any = S3Store(
        bucket,
        endpoint=os.environ["AWS_ENDPOINT_URL"],
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )
    keys = (one["path"] for batch in obstore.list(store, f"{prefix}/", chunk_size=1000) for one in batch)
    if verb == "list":
        _count(keys)
        return

    async def put(file: str, key: str) -> None:
        large = os.path.getsize(file) > PART
        await obstore.put_async(
            store, key, Path(file), use_multipart=large, chunk_size=PART, max_concurrency=CONCURRENCY
        )

    async def get(file: str, key: str) -> None:
        found: Any = await obstore.get_async(store, key)
        size = found.meta["size"]
        if size <= PART:
            Path(file).write_bytes(await found.bytes_async())
            return

        async def part(begin: int) -> None:
            data = await obstore.get_range_async(store, key, start=begin, end=min(begin + PART, size))
            os.pwrite(descriptor, memoryview(data), begin)

        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT)
        try:
            await _side_by_side(part, [(begin,) for begin in range(0, size, PART)])
        except obstore.exceptions.GenericError:
            # One server answers with a range and 200, which obstore does not take.
            position = 0
            async for data in found.stream(min_chunk_size=PART):
                position += os.pwrite(descriptor, memoryview(data), position)
        os.close(descriptor)

    pairs = _files(folder, prefix) if verb == "up" else _targets(folder, prefix, keys)
    asyncio.run(_side_by_side(put if verb == "up" else get, pairs))
    # All is done; on the way out of the interpreter its threads sometimes abort the process.
    os._exit(0)


def with_s3fs(verb: str, folder: str, bucket: str, prefix: str) -> None:
    """Use s3fs with lists of files."""
    import s3fs

    place: Any = s3fs.S3FileSystem(endpoint_url=os.environ["AWS_ENDPOINT_URL"], max_concurrency=CONCURRENCY)
    stem = f"{bucket}/"
    if verb == "list":
        _count(place.find(f"{bucket}/{prefix}"))
    elif verb == "up":
        files, keys = zip(*_files(folder, prefix), strict=True)
        place.put([*files], [stem + key for key in keys], batch_size=CONCURRENCY)
    else:
        found = (path.removeprefix(stem) for path in place.find(f"{bucket}/{prefix}"))
        files, keys = zip(*_targets(folder, prefix, found), strict=True)
        place.get([stem + key for key in keys], [*files], batch_size=CONCURRENCY)


async def _side_by_side(do: Callable[..., Awaitable[None]], calls: Iterable[tuple[Any, ...]]) -> None:
    left = iter(calls)

    async def work() -> None:
        for arguments in left:
            await do(*arguments)

    await asyncio.gather(*[work() for _ in range(CONCURRENCY)])


def _files(folder: str, prefix: str) -> Pairs:
    return [
        (f"{above}/{name}", f"{prefix}{above.removeprefix(folder)}/{name}")
        for above, _, names in os.walk(folder)
        for name in names
    ]


def _targets(folder: str, prefix: str, keys: Iterable[str]) -> Pairs:
    pairs = [(folder + key.removeprefix(prefix), key) for key in keys]
    for above in {os.path.dirname(file) for file, _ in pairs}:
        os.makedirs(above, exist_ok=True)
    return pairs


def _count(keys: Iterable[str]) -> None:
    for key in keys:
        sys.stdout.write(f"{key}\n")


if __name__ == "__main__":
    {"boto3": with_boto3, "obstore": with_obstore, "s3fs": with_s3fs}[sys.argv[1]](*sys.argv[2:])
