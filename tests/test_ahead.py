import threading

import pytest

from lit_cnn.data.ahead import ahead


def test_groups_come_in_order_and_one_ahead():
    begun = []
    gathered = threading.Semaphore(0)

    def gather(x):
        begun.append(x)
        gathered.release()
        return x * 10

    results = ahead(gather, iter(range(5)))
    assert next(results) == 0
    assert gathered.acquire(timeout=10)  # group 0
    assert gathered.acquire(timeout=10)  # group 1, which nobody has asked for yet
    assert begun == [0, 1]
    assert list(results) == [10, 20, 30, 40]
    assert begun == [0, 1, 2, 3, 4]
    assert list(ahead(gather, [])) == []


def test_an_error_comes_out_where_its_group_would():
    results = ahead(lambda x: 1 // x, [1, 2, 0, 1])
    assert [next(results), next(results)] == [1, 0]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_an_iterator_that_is_left_ends_its_thread():
    before = threading.active_count()
    results = ahead(lambda x: x, range(100))
    next(results)
    assert threading.active_count() == before + 1
    results.close()
    assert threading.active_count() == before
