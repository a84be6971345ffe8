"""Functions as users have them; Python 3.8 runs them too. What loads slowly is loaded by who needs it."""

import functools
import types


class NoArguments:
    def method(self, x=3):
        return x

    @classmethod
    def of_class(cls):
        return cls.__name__

    @staticmethod
    async def static(x=4):
        return x


class Inherited(NoArguments):
    pass


class NeedsDatabase:
    def __init__(self, database):
        self.database = database

    def method(self):
        return 1


class BrokenConstructor:
    def __init__(self):
        raise TypeError("the constructor itself failed")

    def method(self):
        return 1


class Callable:
    def __call__(self, x=2):
        return x


class Awaitable:
    def __await__(self):
        import asyncio

        yield from asyncio.sleep(0).__await__()
        return "awaited"


class Outer:
    class Inner:
        number = 42

        @staticmethod
        def function():
            return "inner"


def plain(x=1):
    return {"x": x}


async def coroutine(x=1):
    import asyncio

    await asyncio.sleep(0)
    return x


def generator():
    yield 1


async def async_generator():
    yield 1


@types.coroutine
def old_coroutine():
    import asyncio

    yield from asyncio.sleep(0).__await__()
    return "old"


def returns_coroutine():
    return coroutine(7)


def returns_awaitable():
    return Awaitable()


def own_loop():
    import asyncio

    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(coroutine(5))
    finally:
        loop.close()


def nothing():
    pass


def fails():
    raise ValueError("فشل: لا يوجد مخدوم ✗")


def fails_inside():
    return plain(y=1)


async def fails_awaited():
    import asyncio

    await asyncio.sleep(0)
    raise ValueError("while awaited")


def cancelled():
    import asyncio

    async def cancel():
        raise asyncio.CancelledError

    return cancel()


instance = Callable()
partial = functools.partial(plain, x=9)
not_callable = 42
