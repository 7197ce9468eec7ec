"""Clients that generators make from openapi.yaml compile, send a message and read it.

Needs the npm registry, PyPI, the Go module proxy and Maven Central: `make test-clients`."""
import os
import shutil
import subprocess

import pytest

from support import go, harness, registry

DOCUMENT = harness.ROOT / "openapi" / "openapi.yaml"
PROGRAMS = harness.ROOT / "tests" / "clients" / "programs"
CLIENTS = harness.ROOT / "build" / "clients"
JAR, JAR_VERSION = "openapi-generator-cli", "7.17.0"
OAPI_CODEGEN = "github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2"
NPM_PACKAGES = ["openapi-typescript@7.13.0", "openapi-fetch@0.17.0", "@hey-api/openapi-ts@0.95.0", "typescript@5.9.3", "@types/node@20"]


def call(*command, **more):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **more)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout


def empty_folder(name):
    shutil.rmtree(CLIENTS / name, ignore_errors=True)
    (CLIENTS / name).mkdir(parents=True)
    return CLIENTS / name


def hold(postern, output):
    """The program printed the id of the message that it sent, and the status of its first recipient."""
    id, status = output.split()
    message = postern.message(id)
    assert [r["email"] for r in message["recipients"]] == ["ada@example.com", "grace@example.com"]
    assert message["subject"] == "Your order" and status in ("queued", "delivered")


@pytest.fixture(scope="module")
def npm():
    """The folder of the npm packages' programs."""
    CLIENTS.mkdir(parents=True, exist_ok=True)
    registry.call("the npm registry", ["npm", "install", "--loglevel", "error", "--no-fund", "--no-audit", "--prefix", CLIENTS, *NPM_PACKAGES])
    return CLIENTS / "node_modules" / ".bin"


def run_typescript(npm, folder, program):
    shutil.copy(PROGRAMS / program, folder)
    call(npm / "tsc", "--strict", "--target", "es2022", "--module", "commonjs", "--moduleResolution", "node10", "--skipLibCheck",
         "--typeRoots", CLIENTS / "node_modules" / "@types", "--types", "node", folder / program)
    return folder / program.replace(".ts", ".js")


def test_types_of_openapi_typescript_compile_and_send(postern, npm):
    folder = empty_folder("openapi-typescript")
    call(npm / "openapi-typescript", DOCUMENT, "--default-non-nullable", "false", "-o", folder / "schema.d.ts")
    hold(postern, call("node", run_typescript(npm, folder, "openapi_typescript.ts"), postern.url, postern.test_key))


def test_client_of_hey_api_compiles_and_sends(postern, npm):
    folder = empty_folder("hey-api")
    call(npm / "openapi-ts", "-i", DOCUMENT, "-o", folder / "client", "-c", "@hey-api/client-fetch", "--no-log-file")
    hold(postern, call("node", run_typescript(npm, folder, "hey_api.ts"), postern.url, postern.test_key))


def run_go(chain, folder, *words):
    """Gets the modules that the program needs, and runs it."""
    env = {**os.environ, **go.ENV, **chain.get("env", {})}
    registry.call(go.PROXY, [chain["go"], "mod", "tidy"], cwd=folder, env=env)
    return go.call("run", ".", *words, cwd=folder, **chain)


def test_client_of_oapi_codegen_compiles_and_sends(postern):
    chain, folder = go.toolchain(), empty_folder("oapi-codegen")
    env = {**os.environ, **go.ENV, **chain.get("env", {}), "GOBIN": str(folder)}
    registry.call(go.PROXY, [chain["go"], "install", OAPI_CODEGEN], env=env)
    call(folder / "oapi-codegen", "-package", "main", "-generate", "client,models", "-o", folder / "client.gen.go", DOCUMENT)
    shutil.copy(PROGRAMS / "oapi_codegen.go", folder / "main.go")
    (folder / "go.mod").write_text("module postern.test/program\n\ngo 1.24.0\n")
    hold(postern, run_go(chain, folder, postern.url, postern.test_key))


@pytest.fixture(scope="module")
def openapi_generator():
    """Generates the client of a language: openapi_generator("go", folder, more options)."""
    folder = CLIENTS / "openapi-generator"
    if not (folder / f"{JAR}-{JAR_VERSION}.jar").exists():
        registry.call("Maven Central", ["mvn", "-q", "-B", "dependency:copy", f"-Dartifact=org.openapitools:{JAR}:{JAR_VERSION}", f"-DoutputDirectory={folder}"])
    return lambda language, to, *words: call("java", "-jar", folder / f"{JAR}-{JAR_VERSION}.jar", "generate", "-i", DOCUMENT, "-g", language, "-o", to, *words)


def test_python_client_of_openapi_generator_sends(postern, openapi_generator):
    folder, venv = empty_folder("python"), CLIENTS / "venv"
    openapi_generator("python", folder)
    if not (venv / "bin" / "pip").exists():
        call("/usr/bin/python3", "-m", "venv", venv)
    registry.call("PyPI", [venv / "bin" / "pip", "-q", "install", "-r", folder / "requirements.txt"])
    hold(postern, call(venv / "bin" / "python", PROGRAMS / "openapi_generator.py", postern.url, postern.test_key, env={**os.environ, "PYTHONPATH": str(folder)}))


def test_go_client_of_openapi_generator_compiles_and_sends(postern, openapi_generator):
    folder, module = empty_folder("go"), "postern.test/postern"
    openapi_generator("go", folder / "postern", "--additional-properties", "packageName=postern", "--global-property", "apis,models,supportingFiles,apiTests=false,modelTests=false")
    (folder / "postern" / "go.mod").write_text(f"module {module}\n\ngo 1.18\n")
    (folder / "go.mod").write_text(f"module postern.test/program\n\ngo 1.18\n\nrequire {module} v0.0.0\nreplace {module} => ./postern\n")
    shutil.rmtree(folder / "postern" / "test", ignore_errors=True)
    shutil.copy(PROGRAMS / "openapi_generator.go", folder / "main.go")
    chain = go.toolchain()
    registry.call(go.PROXY, [chain["go"], "mod", "tidy"], cwd=folder / "postern", env={**os.environ, **go.ENV, **chain.get("env", {})})
    hold(postern, run_go(chain, folder, postern.url, postern.test_key))


def test_java_client_of_openapi_generator_compiles_and_sends(postern, openapi_generator):
    folder = empty_folder("java")
    openapi_generator("java", folder)
    shutil.copy(PROGRAMS / "Main.java", folder / "src" / "main" / "java")
    registry.call("Maven Central", ["mvn", "-q", "-B", "-Dmaven.test.skip=true", "compile", "dependency:build-classpath", "-Dmdep.outputFile=classpath"], cwd=folder)
    classpath = f"{folder / 'target' / 'classes'}:{(folder / 'classpath').read_text()}"
    hold(postern, call("java", "-cp", classpath, "Main", postern.url, postern.test_key))
