"""Calls that threads share: the kernel that divides one, and the loop in which helpers wait for their part.

The iterations of a call are dealt out in at most 48 chunks, which depend on sizes alone. One word holds a bit for each chunk
that nobody has taken: whoever clears the bit runs the chunk. So the calling thread needs no helper, and one that comes late
finds nothing to do. A helper begins where its share of the chunks would, so that it meets the same rows of memory again, call
after call. Helpers wait for a moment in a loop, then sleep until they are written to. The calling thread sleeps 50 µs
at a time, at the end of a call, where a helper takes too long for its chunk.

Where the calling thread has to wait for a helper much longer than a chunk takes, something else has the helper's processor. What is
lost so is set against what helpers have saved. Where more is lost, the thread goes on alone for as long as it waited, and for twice
as long as before where that happens again before they have saved much: a busy neighbour costs little more than the processor
that it keeps, and an interrupt no more than itself.
"""

from __future__ import annotations

from graphc.codegen.executor import COMPILED
from graphc.codegen.printer import PLACEHOLDER

__all__ = ["CHUNKS", "HELP", "SPLIT", "WORDS"]

CHUNKS = 48  # a call's chunks at most
# Where the words of a pool lie, in bytes; what several threads write lies in a piece of the cache of its own.
WORDS = {
    "open": 0,  # workers << 54 | chunks << 48 | a bit for each chunk that is left
    "call": 128,  # the row of the call that is divided
    "done": 256,  # chunks that helpers have done
    "asleep": 384,  # helpers that wait to be written to
    "stop": 512,  # whether helpers are to end
    "helpers": 520,
    "read": 528, "write": 536, "clock": 544,  # addresses of functions of the system
    "source": 552, "target": 560,  # the files that helpers read from, and that wake them
    "sleep": 568,  # a function too
    "clock_number": 576,
    "patience": 584,  # ns for which helpers wait awake
    "mode": 592,  # in which the calling thread computes, and so its helpers
    "alone": 640,  # until when the calling thread wants no help
    "rest": 648,  # for how long it last went on alone; 0 when helpers have saved much since
    "saved": 656,  # ns that helpers have saved, less what was lost by waiting for them
    "size": 768,
}  # fmt: skip
_HEAD = f"from graphc.codegen.atomics import *\nfrom graphc.codegen.invoke import call\nfrom graphc.codegen.modes import mode, set_mode\n{COMPILED}"
_AT = {name: f"pool + {place}" for name, place in WORDS.items()}
_TIME = f"nanoseconds(load({_AT['clock']}), load({_AT['clock_number']}))"
_LONGEST = 500_000_000  # ns without help, after which it is tried again
_MOST = 10_000_000  # ns that helpers can have saved: so much a neighbour takes until it is noticed
_PATIENCE = 30_000  # ns beside two chunks' time for which the calling thread waits for a helper awake
_MASK = (1 << CHUNKS) - 1

# Row: control, kernel, its row, extent, iterations a chunk, chunks, workers, estimated ns, whether sleeping helpers are woken.
SPLIT = (
    _HEAD
    + f"""def {PLACEHOLDER}(row, low, high, worker):
    control = integers(row, 0)
    kernel = integer(row, 1)
    arguments = integer(row, 2)
    extent = integer(row, 3)
    grain = integer(row, 4)
    chunks = integer(row, 5)
    cost = integer(row, 7)
    wakes = integer(row, 8)
    pool = control[7]
    alone = pool == 0
    if not alone:
        until = load({_AT["alone"]})
        alone = until != 0 and {_TIME} < until
        if until != 0 and not alone:
            store({_AT["alone"]}, 0)
        asleep = load({_AT["asleep"]})
        alone = alone or (wakes == 0 and asleep >= load({_AT["helpers"]}))
    if alone:
        call(kernel, arguments, 0, extent, 0)
        return
    store({_AT["call"]}, address(row))
    store({_AT["done"]}, 0)
    store({_AT["mode"]}, mode())
    publish(pool, (integer(row, 6) << 54) | (chunks << 48) | ((1 << chunks) - 1))
    started = 0
    if wakes != 0:
        started = {_TIME}
        asleep = load({_AT["asleep"]})
        wanted = min(asleep, chunks - 1)
        if wanted > 0 and swap({_AT["asleep"]}, asleep, asleep - wanted):
            for _ in range(wanted):
                transfer(load({_AT["write"]}), load({_AT["target"]}))
    mine = 0
    while True:
        word = load(pool)
        if word & {_MASK} == 0:
            break
        chunk = first_bit(word)
        if swap(pool, word, word & ~(1 << chunk)):
            call(kernel, arguments, chunk * grain, min(extent, (chunk + 1) * grain), 0)
            mine += 1
    others = chunks - mine
    lost = 0
    now = 0
    if load({_AT["done"]}) != others:
        own = {_TIME}
        if wakes != 0 and mine > 0:
            each = (own - started) // mine
        else:
            each = cost // chunks
        patience = {_PATIENCE} + 2 * each
        waits = 0
        now = own
        while load({_AT["done"]}) != others and now - own <= patience:
            pause()
            waits += 1
            if waits & 31 == 0:
                now = {_TIME}
        if now - own > patience:
            while load({_AT["done"]}) != others:
                sleep(load({_AT["sleep"]}), 50)
            now = {_TIME}
            lost = now - own
    saved = load({_AT["saved"]}) + cost * others // chunks - 2 * lost
    if saved < 0:
        rest = min(max(lost, 2 * load({_AT["rest"]})), {_LONGEST})
        store({_AT["rest"]}, rest)
        store({_AT["alone"]}, now + rest)
        saved = 0
    elif saved > {_MOST}:
        store({_AT["rest"]}, 0)
        saved = {_MOST}
    store({_AT["saved"]}, saved)
"""
)

# Row: the pool itself; ``worker`` is the helper's number, from 1 on.
HELP = (
    _HEAD
    + f"""def {PLACEHOLDER}(row, low, high, worker):
    pool = address(row)
    idle = 0
    since = 0
    while load({_AT["stop"]}) == 0:
        word = load(pool)
        free = word & {_MASK}
        workers = word >> 54
        if free != 0 and worker < workers:
            idle = 0
            start = ((word >> 48) & 63) * worker // workers
            later = free >> start << start
            chunk = first_bit(later if later != 0 else free)
            if swap(pool, word, word & ~(1 << chunk)):
                at = load({_AT["call"]})
                set_mode(load({_AT["mode"]}))
                extent = load(at + 24)
                grain = load(at + 32)
                call(load(at + 8), load(at + 16), chunk * grain, min(extent, (chunk + 1) * grain), worker)
                add({_AT["done"]}, 1)
            continue
        pause()
        idle += 1
        if idle & 31 != 0:
            continue
        now = {_TIME}
        if idle == 32:
            since = now
        elif now - since > load({_AT["patience"]}):
            idle = 0
            add({_AT["asleep"]}, 1)
            word = load(pool)
            waits = (word & {_MASK} == 0 or worker >= word >> 54) and load({_AT["stop"]}) == 0
            while not waits:
                asleep = load({_AT["asleep"]})
                if asleep <= 0:
                    waits = True
                elif swap({_AT["asleep"]}, asleep, asleep - 1):
                    break
            if waits:
                # A signal may end the call before anything was read.
                while transfer(load({_AT["read"]}), load({_AT["source"]})) != 8 and load({_AT["stop"]}) == 0:
                    pause()
"""
)
