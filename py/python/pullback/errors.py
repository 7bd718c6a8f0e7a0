"""The exceptions Pullback raises. Each has ``code``, ``spans`` and ``help``; its text is the whole rendered message."""


class PullbackError(Exception):
    """Base of all errors of this package.

    Attributes:
        code: the error's kebab-case name; ``python -m pullback explain CODE`` tells what it means.
        spans: places as ``(file, line, column)``, counted from 1.
        help: one thing to do, or ``None``.
    """

    def __init__(self, message: str, *, code: str = "", spans=(), help: str | None = None):
        super().__init__(message)
        self.code = code
        self.spans = tuple(spans)
        self.help = help


class CompileError(PullbackError):
    """A kernel's text is wrong; the message lists everything found in the file."""


class BindError(PullbackError, TypeError):
    """A call's arguments do not fit the function."""


class UnknownFunctionError(BindError, AttributeError):
    """The module has no function of that name."""


class ShapeError(PullbackError, ValueError):
    """The shapes of a call's arguments do not fit together."""


class GradientError(PullbackError, RuntimeError):
    """No gradient can be given; never a wrong one instead."""


class DeviceError(PullbackError, RuntimeError):
    """A driver, a device, a file or memory is not there."""


class InternalError(PullbackError, RuntimeError):
    """A bug in Pullback."""
