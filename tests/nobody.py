"""Runs commands, a JSON line [folder, *arguments] each, as a person without root's rights; answers [code, error].

Each runs in a child that is forked when all modules are there already, since a person without rights may not be
allowed to read where they lie. Start it with OMP_NUM_THREADS=1: threads of a pool do not come along to a child.
"""

import encodings.cp437  # noqa: F401  (zipfile takes it only when it opens an archive)
import gc
import json
import os
import sys
import tempfile

from lit_cnn.cli.main import main

NOBODY = 65534


def answer(folder: str, *argv: str) -> list[int | str]:
    """Runs a command in a folder, without rights."""
    with tempfile.TemporaryFile("w+") as error:
        child = os.fork()
        if child == 0:
            code = 99
            try:
                os.dup2(error.fileno(), 2)
                sys.stderr = os.fdopen(2, "w", buffering=1)
                os.chdir(folder)
                os.environ["XDG_CACHE_HOME"] = f"{folder}/caches"
                if os.getuid() == 0:
                    os.setgroups([])
                    os.setgid(NOBODY)
                    os.setuid(NOBODY)
                code = main(list(argv))
                sys.stderr.flush()
            finally:
                os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        error.seek(0)
        return [code, "".join(line for line in error if not line.startswith("Seed set to"))]


if __name__ == "__main__":
    sys.argv[1:] = []
    answers, sys.stdout = os.fdopen(os.dup(1), "w"), open(os.devnull, "w")
    os.dup2(sys.stdout.fileno(), 1)
    with tempfile.TemporaryDirectory() as warm:
        os.chdir(warm)
        images = ("--data", "SyntheticDataModule", "--data.image_size", "8", "--data.train_images", "100")
        assert main(["fit", "--model", "LitMLP", *images, "--trainer.max_epochs", "1"]) == 0
        os.chdir("/")
    gc.freeze()
    for line in sys.stdin:
        print(json.dumps(answer(*json.loads(line))), file=answers, flush=True)
