"""Promise 7 as it can be read off the source and off a folder: nothing runs, nothing is followed, nothing is open."""

import ast
import os
import re
import stat
from collections.abc import Iterator
from contextlib import closing
from email.message import Message
from pathlib import Path

import pytest

from qa.assistant import Assistant
from qa.config import Config
from qa.store.place import Store
from tests import licences
from tests.conftest import ROOT
from tests.readers import Trusting
from tests.stores import TextEmbedder, fill

SOURCES = [path for folder in ("qa", "ui", "eval") for path in sorted((ROOT / folder).rglob("*.py"))]
RUNS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "os.execv", "runpy.run_path"}
UNPACKS = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "jsonpickle"}
UNSAFE = {"yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.full_load", "yaml.Loader", "yaml.UnsafeLoader"}


# -- nothing runs ------------------------------------------------------------------------------------


def dangers(source: str) -> list[str]:
    """What in this source could run a text, unpack objects from a file, or hand a line to a shell."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            settings = {one.arg: ast.unparse(one.value) for one in node.keywords}
            found += [name] * (name in RUNS or settings.get("shell", "False") != "False")
            found += [name] * (settings.get("allow_pickle", "False") != "False")
            found += [name] * (name == "torch.load" and settings.get("weights_only") != "True")
        if isinstance(node, ast.Attribute):
            found += [ast.unparse(node)] * (ast.unparse(node) in UNSAFE)
        names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        found += [name for name in names if name.partition(".")[0] in UNPACKS]
    return found


@pytest.mark.parametrize("path", SOURCES, ids=[path.relative_to(ROOT).as_posix() for path in SOURCES])
def test_no_source_runs_text_or_unpacks_objects(path: Path) -> None:
    assert dangers(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "eval(text)",
        "exec(text)",
        "import pickle",
        "from pickle import loads",
        "import os; os.system(name)",
        "subprocess.run(line, shell=True)",
        "subprocess.run(line, shell=shell)",
        "yaml.load(text)",
        "yaml.load(text, Loader=yaml.Loader)",
        "numpy.load(path, allow_pickle=True)",
        "torch.load(path)",
    ],
)
def test_planted_dangers_are_found(source: str) -> None:
    assert dangers(source)
    assert not dangers("model.eval(); re.compile(x); yaml.BaseLoader(text); subprocess.run([name], shell=False)")


# -- SQL ---------------------------------------------------------------------------------------------


SQL_FUNCTIONS = {"active_contents"}  # give SQL first, which is looked at as well


def put_together(source: str) -> list[str]:
    """The SQL of this source that is not made of constants alone, whatever its parameters are."""
    found = []
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, ast.FunctionDef):
            continue
        for node in ast.walk(function):
            sql = None
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith((".execute", ".executemany")):
                sql = node.args[0]
            elif isinstance(node, ast.Return) and function.name in SQL_FUNCTIONS and isinstance(node.value, ast.Tuple):
                sql = node.value.elts[0]
            if sql is not None and not _is_constant(sql, function):
                found.append(ast.unparse(sql))
    return found


def _is_constant(node: ast.AST, scope: ast.AST) -> bool:
    def constant(one: ast.AST) -> bool:
        return _is_constant(one, scope)

    if isinstance(node, ast.Constant):
        return True
    if isinstance(node, ast.JoinedStr | ast.Tuple | ast.List):
        return all(map(constant, node.values if isinstance(node, ast.JoinedStr) else node.elts))
    if isinstance(node, ast.FormattedValue | ast.Subscript):  # an entry of a constant table is one
        return constant(node.value)
    if isinstance(node, ast.BinOp):
        return constant(node.left) and constant(node.right)
    if isinstance(node, ast.Call):
        return (isinstance(node.func, ast.Attribute) and node.func.attr == "split" and constant(node.func.value)) or (
            isinstance(node.func, ast.Name) and node.func.id in SQL_FUNCTIONS
        )
    if isinstance(node, ast.Name):
        bound = list(_bindings(node.id, scope))
        return bool(re.fullmatch(r"_?[A-Z_]+", node.id)) or (bool(bound) and all(map(constant, bound)))
    return False


def _bindings(name: str, scope: ast.AST) -> Iterator[ast.AST]:
    """All that a name of a function may stand for; itself, which is no constant, where it is a parameter."""
    for node in ast.walk(scope):
        if isinstance(node, ast.arg) and node.arg == name:
            yield node
        pairs = [(target, node.value) for target in node.targets] if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.For | ast.comprehension):
            pairs = [(node.target, node.iter)]
        for target, value in pairs:
            if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
                yield from (v for t, v in zip(target.elts, value.elts, strict=True) if ast.unparse(t) == name)
            elif name in [ast.unparse(one) for one in (target.elts if isinstance(target, ast.Tuple) else [target])]:
                yield value


def test_sql_is_made_of_constants_and_parameters() -> None:
    for path in SOURCES:
        assert put_together(path.read_text("utf-8")) == [], path.name
    assert sum(path.read_text("utf-8").count(".execute") for path in (ROOT / "qa" / "store").glob("*.py")) > 50


@pytest.mark.parametrize(
    "source",
    [
        "def f(db, name):\n    db.execute(f'SELECT {name}')",
        "def f(db, name):\n    db.execute('SELECT ' + name)",
        "def f(db, name):\n    db.execute('SELECT %s' % name)",
        "def f(db, name):\n    db.execute('SELECT {}'.format(name))",
        "def f(db, names):\n    for one in names:\n        db.execute(one)",
        "def f(db, row):\n    words = row['text']\n    db.executemany(words, [])",
        "def active_contents(names):\n    return f'SELECT {names}', ()",
    ],
)
def test_planted_sql_is_found(source: str) -> None:
    assert put_together(source)
    assert not put_together("def f(db, name):\n    what = 'SELECT ?'\n    db.execute(f'{what} {_MORE}', (name,))")


# -- nothing is followed, nothing is open ------------------------------------------------------------


def test_links_out_of_the_folder_and_of_the_uploads_are_not_followed(tmp_path: Path) -> None:
    fill(tmp_path / "outside", {"secret.txt": "The secret number is 4711.\n", "deep/er.txt": "Nor this one.\n"})
    docs = fill(tmp_path / "docs", {"a.txt": "The harbour was rebuilt in 1834.\n", "sub/b.txt": "Its bridge too.\n"})
    (docs / "link.txt").symlink_to(tmp_path / "outside" / "secret.txt")
    (docs / "sub" / "up.txt").symlink_to("../../outside/secret.txt")
    (docs / "folder").symlink_to(tmp_path / "outside")
    (docs / "within.txt").symlink_to(docs / "sub" / "b.txt")
    os.link(tmp_path / "outside" / "secret.txt", tmp_path / "outside" / "hard.txt")
    store = Store(tmp_path / "store", docs)
    with closing(
        Assistant(store, Config(data_dir=tmp_path, threads=1), Trusting(), embedder=TextEmbedder())
    ) as assistant:
        store.uploads.mkdir()
        (store.uploads / "c.txt").symlink_to(tmp_path / "outside" / "secret.txt")
        assistant.refresh()
        assert [one.path for one in assistant.documents()] == ["a.txt", "sub/b.txt", "within.txt"]
        left_out = {one.path: one.reason for one in assistant.skipped()}
        assert left_out.keys() == {"link.txt", "sub/up.txt", "folder/", "uploads/c.txt"}
        assert all("not followed" in reason for reason in left_out.values())
        assert "4711" not in assistant.ask("What is the secret number?").model_dump_json(exclude={"trace"})
        # an upload of that name takes the link's place, and nothing is written through it
        assistant.add_upload("c.txt", b"An upload.\n")
        assert (tmp_path / "outside" / "secret.txt").read_text() == "The secret number is 4711.\n"
        assert not (store.uploads / "c.txt").is_symlink()


def test_a_store_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    docs = fill(tmp_path / "docs", {"a.txt": "The harbour was rebuilt in 1834.\n"})
    before = os.umask(0)
    try:
        with closing(Assistant(Store(tmp_path / "store", docs), Config(data_dir=tmp_path, threads=1))) as assistant:
            assistant.add_upload("b.txt", b"An upload.\n", owner="0" * 32)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "store").stat().st_mode) == 0o700
    for name in ("uploads", "uploads/b.txt", "uploaders.json", "incoming"):
        assert not (tmp_path / "store" / name).stat().st_mode & 0o077, name


# -- what it is built on -----------------------------------------------------------------------------


def test_every_dependency_has_a_licence_that_asks_nothing_of_its_users() -> None:
    found = list(licences.lines())
    assert len(found) > 60
    assert {"chromadb", "gradio", "onnxruntime", "numpy", "lxml"} <= {name for name, *_ in found}
    assert [one for one in found if not licences.is_fit(one[2])] == []


@pytest.mark.parametrize(
    ("said", "fit"),
    [
        ("MIT", True),
        ("MPL-2.0 AND MIT", True),
        ("GNU Lesser General Public License v3 (LGPLv3)", True),
        ("MIT OR GPL-2.0-only", True),
        ("AGPL-3.0-or-later", False),
        ("GNU Affero General Public License v3", False),
        ("GNU General Public License v2 (GPLv2)", False),
        ("GPL-2.0-only AND MIT", False),
        ("", False),
    ],
)
def test_the_audit_knows_licences(said: str, fit: bool) -> None:
    assert licences.is_fit(said) is fit
    metadata = Message()
    metadata["Classifier"] = f"License :: OSI Approved :: {said}"
    assert licences.licence(metadata) == said
