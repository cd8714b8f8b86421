"""Clients that others generate from the OpenAPI document: `judge.py target/debug/kaiwa NODE_MODULES`.

openapi-python-client and openapi-typescript have to make every operation without a warning, and what they have made uploads and
downloads a picture. `scripts/test` runs it; by hand it needs requirements.txt, and the packages of package.json.
"""

import base64
import importlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from io import BytesIO
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "sdk"))

from checks import Checks, Mismatch  # noqa: E402 (the judge of the SDK has them)
from program import Program  # noqa: E402

PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
RUN_SECONDS = 120


def main(binary: str, modules: str) -> int:
    """Makes both clients and uses them; returns the exit code."""
    checks = Checks()
    try:
        with Program(binary) as program, tempfile.TemporaryDirectory(prefix="kaiwa-clients-") as folder:
            place = Path(folder)
            with urllib.request.urlopen(f"{program.url}/openapi.json") as answer:
                document = answer.read()
            (place / "openapi.json").write_bytes(document)
            _python(checks, program, place, json.loads(document))
            _typescript(checks, program, place, Path(modules))
    except Mismatch as mismatch:
        print(f"FAILED: {mismatch}")
        return 1
    print(f"{checks.passed} passed, 0 failed")
    return 0


def _python(checks: Checks, program: Program, place: Path, document: Any) -> None:
    # The generator looks for its formatter beside itself.
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--path", "openapi.json"]
    told = _run(checks, [*command, "--meta", "none", "--output-path", "made"], place, environment)
    checks.true("arning" not in told and "Unable" not in told, f"openapi-python-client makes it without a word:\n{told}")
    made = [one for one in (place / "made/api").rglob("*.py") if one.name != "__init__.py"]
    operations = [name for methods in document["paths"].values() for name in methods]
    checks.equal(len(made), len(operations), "operations that openapi-python-client has made")

    sys.path.insert(0, str(place))
    upload = importlib.import_module("made.api.files.upload")
    download = importlib.import_module("made.api.files.get_media")
    file = importlib.import_module("made.types").File
    form = importlib.import_module("made.models.upload_files_upload_form").UploadFilesUploadForm
    client = importlib.import_module("made.client").AuthenticatedClient(base_url=program.url, token=program.token)
    for body in (file(payload=BytesIO(PICTURE)), form(file=file(payload=BytesIO(PICTURE), file_name="menu.png"))):
        answer = upload.sync_detailed(client=client, body=body)
        checks.equal((answer.status_code, answer.parsed.type_), (200, "image"), "an upload of the Python client")
        answer = download.sync_detailed(answer.parsed.id, client=client)
        checks.equal((answer.status_code, answer.parsed.payload.read()), (200, PICTURE), "its download")


def _typescript(checks: Checks, program: Program, place: Path, modules: Path) -> None:
    (place / "node_modules").symlink_to(modules.resolve())
    for name in ("client.ts", "package.json"):
        shutil.copy(HERE / name, place / name)
    tools = modules.resolve() / ".bin"
    told = _run(checks, [str(tools / "openapi-typescript"), "openapi.json", "-o", "schema.ts"], place)
    checks.true("arning" not in told and "rror" not in told, f"openapi-typescript makes it without a word:\n{told}")
    options = ["--strict", "--module", "nodenext", "--target", "es2022", "--lib", "es2022,dom", "--skipLibCheck"]
    _run(checks, [str(tools / "tsc"), *options, "client.ts"], place)
    picture = base64.b64encode(PICTURE).decode()
    told = _run(checks, ["node", "client.js", program.url, program.token, picture], place)
    checks.equal(told.split(), [str(len(PICTURE))] * 2, "both uploads and downloads of the TypeScript client")


def _run(checks: Checks, command: list[str], place: Path, environment: dict[str, str] | None = None) -> str:
    """What a command that succeeds has printed."""
    done = subprocess.run(
        command, cwd=place, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=RUN_SECONDS
    )
    checks.true(done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
