"""Reading ahead: the next group of images is gathered while the last one is used."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
U = TypeVar("U")


def ahead(gather: Callable[[T], U], groups: Iterable[T]) -> Iterator[U]:
    """Yields `gather(group)` for each group in order, computed one group ahead in another thread.

    For gathers that wait for memory or the disk without holding the interpreter, such as `index_select` on a
    large mapped file, where each image is a miss of all caches: the wait is over when the group is asked for.
    A group should take a millisecond or more, since handing it over takes 30 microseconds. At most two groups
    are held at a time. An error comes out where its group would, and closing the iterator ends the thread.

    Args:
        gather: Called in the other thread, one group at a time; it must not depend on thread-local settings.
        groups: Iterated by the calling thread.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as thread:
        pending = None
        for group in groups:
            following = thread.submit(gather, group)
            if pending is not None:
                yield pending.result()
            pending = following
        if pending is not None:
            yield pending.result()
