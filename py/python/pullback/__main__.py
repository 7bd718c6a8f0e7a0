"""The ``pullback`` command: ``doctor``, ``check FILE``, ``dump FILE --stage STAGE``, ``explain CODE``."""

import argparse
import sys
import warnings

import pullback
from pullback._native import error_codes


def doctor(_args) -> int:
    """Says which devices are there, and what to do about those that are not."""
    print(f"pullback {pullback.__version__}, python {sys.version.split()[0]}")
    for kind in (pullback.DeviceType.cpu, pullback.DeviceType.vulkan, pullback.DeviceType.cuda):
        name = str(kind).removeprefix("DeviceType.")
        try:
            print(f"{name:8} {pullback.create_device(kind).name}")
        except pullback.DeviceError as error:
            print(f"{name:8} not there: {error.code}; {error.help}")
    return 0


def _load(path: str):
    return pullback.Module.load_from_file(pullback.create_device(pullback.DeviceType.cpu), path)


def check(args) -> int:
    """Compiles a file and prints everything that is wrong with it."""
    try:
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            module = _load(args.file)
    except pullback.PullbackError as error:
        print(error, file=sys.stderr)
        return 1
    for warning in found:
        print(warning.message, file=sys.stderr)
    print(f"{args.file}: ok, functions: {', '.join(module.functions)}")
    return 0


def dump(args) -> int:
    """Prints a stage of every function of a file."""
    try:
        module = _load(args.file)
        for name in module.functions:
            print(module[name].dump(args.stage))
    except pullback.PullbackError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def explain(args) -> int:
    """Says what an error code means."""
    for code, exception, meaning in error_codes():
        if code == args.code:
            print(f"{code} (raised as {exception})\n{meaning}")
            return 0
    print(f"no error has the code {args.code!r}; the codes are:", file=sys.stderr)
    print("\n".join(code for code, _, _ in error_codes()), file=sys.stderr)
    return 1


def main(argv=None) -> int:
    """Runs the command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="pullback", description="Differentiable array functions from shader code."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for run, arguments in ((doctor, ()), (check, ("file",)), (dump, ("file",)), (explain, ("code",))):
        command = commands.add_parser(run.__name__, help=run.__doc__)
        command.set_defaults(run=run)
        for name in arguments:
            command.add_argument(name)
        if run is dump:
            command.add_argument("--stage", default="ir", choices=("ir", "flat", "vjp", "jvp"))
    args = parser.parse_args(argv)
    return args.run(args)


if __name__ == "__main__":
    sys.exit(main())
