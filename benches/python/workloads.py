"""The workloads of the own loop, as Python would write them.

    python3 workloads.py asyncio|uvloop [--smoke]

Prints a line per workload: its name, a tab, and nanoseconds per unit. README.md has the definitions; the
names are those of the scenarios.
"""

import asyncio
import random
import socket
import statistics
import sys
import threading
import time

SMOKE = "--smoke" in sys.argv
RUNS = 1 if SMOKE else 7


def size(count):
    return min(count, 10) if SMOKE else count


async def child(number, yields):
    for _ in range(yields):
        await asyncio.sleep(0)
    return number


async def spawn(tasks, yields):
    clock = time.thread_time_ns()
    running = [asyncio.create_task(child(number, yields)) for number in range(tasks)]
    total = 0
    for task in running:
        total += await task
    assert total == tasks * (tasks - 1) // 2
    return time.thread_time_ns() - clock


async def serial(tasks):
    clock = time.thread_time_ns()
    total = 0
    for number in range(tasks):
        total += await asyncio.create_task(child(number, 0))
    assert total == tasks * (tasks - 1) // 2
    return time.thread_time_ns() - clock


async def timers(count, part):
    """A timer of asyncio's cannot be moved: it is cancelled, and another one is made."""
    loop = asyncio.get_running_loop()
    fired = 0
    done = loop.create_future()

    def fire():
        nonlocal fired
        fired += 1
        if fired == count:
            done.set_result(None)

    def delay():
        return random.uniform(10, 70)

    start = loop.time() + 0.005 + count * 10e-6
    clock = time.thread_time_ns()
    if part == "fire":
        handles = [loop.call_at(start + 0.01 * n / count, fire) for n in range(count)]
    else:
        handles = [loop.call_later(delay(), fire) for _ in range(count)]
    if part == "create":
        took = time.thread_time_ns() - clock
    if part == "reset":
        clock = time.thread_time_ns()
        for place, handle in enumerate(handles):
            handle.cancel()
            handles[place] = loop.call_later(delay(), fire)
        took = time.thread_time_ns() - clock
    if part == "fire":
        time.sleep(max(0, start + 0.012 - loop.time()))
        clock = time.thread_time_ns()
        await done
        took = time.thread_time_ns() - clock
    clock = time.thread_time_ns()
    for handle in handles:
        handle.cancel()
    return time.thread_time_ns() - clock if part == "cancel" else took


async def timeouts(count, yields):
    clock = time.thread_time_ns()
    for number in range(count):
        async with asyncio.timeout(60):
            await child(number, yields)
    return time.thread_time_ns() - clock


async def wakes(times):
    """From just before `call_soon_threadsafe` until the task runs: the middle one counts."""
    loop = asyncio.get_running_loop()
    took = []
    for _ in range(times):
        future = loop.create_future()

        def ring():
            time.sleep(100e-6)
            rung_at = time.perf_counter_ns()
            loop.call_soon_threadsafe(future.set_result, rung_at)

        thread = threading.Thread(target=ring)
        thread.start()
        rung_at = await future
        took.append(time.perf_counter_ns() - rung_at)
        thread.join()
    return statistics.median(took) * times


async def blocking(count, burst):
    clock = time.perf_counter_ns()
    loop = asyncio.get_running_loop()
    if burst:
        running = [loop.run_in_executor(None, int) for _ in range(count)]
        for one in running:
            await one
    else:
        for _ in range(count):
            await loop.run_in_executor(None, int)
    return time.perf_counter_ns() - clock


async def echo(connections, requests):
    """With streams, as most programs do."""

    async def serve(reader, writer):
        try:
            while data := await reader.readexactly(64):
                writer.write(data)
        except asyncio.IncompleteReadError:
            writer.close()

    async def ask(reader, writer):
        for number in range(requests):
            data = bytes([number % 256]) * 64
            writer.write(data)
            assert await reader.readexactly(64) == data
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, family=socket.AF_INET)
    address = server.sockets[0].getsockname()
    ends = [await asyncio.open_connection(*address) for _ in range(connections)]
    clock = time.thread_time_ns()
    clients = [asyncio.create_task(ask(*end)) for end in ends]
    for client in clients:
        await client
    took = time.thread_time_ns() - clock
    server.close()
    await server.wait_closed()
    return took


def block_on(times):
    loop = NEW_LOOP()
    clock = time.thread_time_ns()
    for number in range(times):
        loop.run_until_complete(child(number, 0))
    took = time.thread_time_ns() - clock
    loop.close()
    return took


def workloads():
    """Name, units, and what runs them once."""
    for name, yields in [("spawn.ready", 0), ("spawn.yield1", 1)]:
        for tasks in [1_000, 100_000]:
            yield f"{name} {tasks}", size(tasks), lambda t=size(tasks), y=yields: spawn(t, y)
    yield "spawn.serial 1000", size(1_000), lambda: serial(size(1_000))
    yield "yield 1", size(10_000), lambda: spawn(1, size(10_000))
    yield "yield 100", 100 * size(1_000), lambda: spawn(100, size(1_000))
    yield "wake.one", size(21), lambda: wakes(size(21))
    for part in ["create", "reset", "cancel", "fire"]:
        for count in [1_000, 10_000, 100_000]:
            yield f"timers.{part} {count}", size(count), lambda c=size(count), p=part: timers(c, p)
    yield "timeout.ready", size(1_000), lambda: timeouts(size(1_000), 0)
    yield "timeout.yield1", size(1_000), lambda: timeouts(size(1_000), 1)
    yield "block_on.ready", size(1_000), lambda: block_on(size(1_000))
    yield "blocking.serial", size(100), lambda: blocking(size(100), burst=False)
    yield "blocking.burst 1000", size(1_000), lambda: blocking(size(1_000), burst=True)
    for connections, requests in [(1, 500), (100, 20), (1_000, 10)]:
        units = size(connections) * size(requests)
        yield (
            f"tcp.echo {connections}",
            units,
            lambda c=size(connections), r=size(requests): echo(c, r),
        )


def run_once(work):
    program = work()
    if isinstance(program, int):
        return program
    loop = NEW_LOOP()
    try:
        return loop.run_until_complete(program)
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


if sys.argv[1] == "uvloop":
    import uvloop

    NEW_LOOP = uvloop.new_event_loop
else:
    NEW_LOOP = asyncio.new_event_loop

for name, units, work in workloads():
    took = [run_once(work) / units for _ in range(RUNS)]
    print(f"{name}\t{statistics.median(took):.0f}", flush=True)
