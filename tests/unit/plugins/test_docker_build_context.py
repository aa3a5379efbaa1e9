"""The build context's hash is the one that Pulumi's own provider keeps.

The expected hashes were written by the Go code of pulumi-docker-build 0.0.22 for the same trees.
"""

from pathlib import Path

import pytest

from plugins.docker_build.context import context_hash, file_mode

FILES = {
    "Dockerfile": "FROM scratch\nCOPY . /\n",
    "main.go": "package main\n",
    "a": "1",
    "a.b/c.txt": "2",
    "a.b/d/e.txt": "3",
    "docs/readme.md": "4",
    "docs/keep.md": "5",
    "docs/deep/note.md": "6",
    "node_modules/x/index.js": "7",
    "Ünïcode.txt": "8",
}


@pytest.fixture
def tree(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, content in FILES.items():
        write(Path("app") / name, content)
    return Path("app")


def write(file: Path, content: str, mode: int = 0o644) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    file.chmod(mode)


def hashed(dockerfile: str = "app/Dockerfile") -> str:
    return context_hash("./app", dockerfile, {})


IGNORED = {
    "a name": (
        "node_modules\n",
        "fec879b33d9ba370eb4afeba5dd90070d7274f21f0e94a8f742a80bdd24e07e4",
    ),
    "a pattern": ("*.go\n", "56ebea59a1c037c7753c4f2701da360c2b86b57c4470572564969599190ff20a"),
    "any depth": ("**/*.md\n", "2a53f078929dbd4d1fa75608a26008ce179701a9743d6cbe3c644ccc1df853de"),
    "any depth, by name": (
        "**/deep\n",
        "adbee96a804847dc1610035c24ce6011c1c1dd24005e98da1938f53e1ece2c8b",
    ),
    "all in a folder": (
        "docs/**\n",
        "ae28547f4bee73fd303ee8167056d7047ba5866a91013bce63a57e7691e969ee",
    ),
    "all but": (
        "*\n!main.go\n",
        "719e019bd6bb46c5b39960852a37dd2a7520a837bd969c6b3862749182627694",
    ),
    "a folder but": (
        "docs\n!docs/keep.md\n",
        "68d780a42f3b9d430b3ed01155d4550b7f7bcf1fc22a67577595d3686481d8d8",
    ),
    "a folder but what is again left out": (
        "docs\n!docs/*.md\ndocs/keep.md\n",
        "0c1922efd51ef8110b0687abe5c784c07394658b904b7d7cd5f957773437a7d4",
    ),
    "one character": ("?\n", "3b49a6ab8c7915a9a753163361121aa2e412cca45ee40ddc0458dc88cb6e3f63"),
    "a class": ("[am]*\n", "32f786f17098521193bea30d0aad4ccc0b8f6e073d185dce2a1dddea6eae2c0b"),
    "comments, blanks, slashes": (
        "# *\n\n  /docs/  \n./a.b/../main.go\r\n",
        "018539b0cb6a32bb9649d341b8b437144d5ee504002aa6bdb2a885a893e6e857",
    ),
    "the Dockerfile, which counts all the same": (
        "Dockerfile\n",
        "2e972ef04f5c2dac27044b2175a95acc4eac861715c2f986ed3179a67b25ffd8",
    ),
    "a byte order mark": (
        "\ufeffmain.go\n",
        "ece0601467f8bb54456e7bf1f9ceb0b16af72ade024688171c559ede163fad85",
    ),
    "nothing": ("", "67be2cab452c50722724ec2cbf6cb9089d87595a51805c70967cc601f7331b91"),
}


@pytest.mark.parametrize(("patterns", "expected"), IGNORED.values(), ids=IGNORED.keys())
def test_the_hash_leaves_out_what_dockerignore_names(tree, patterns, expected):
    write(tree / ".dockerignore", patterns)
    assert hashed() == expected


def test_the_ignore_file_beside_the_dockerfile_wins(tree):
    write(tree / ".dockerignore", "*\n")
    write(tree / "Dockerfile.dockerignore", "docs\n")
    assert hashed() == "5b6918f9a410a2210c2d8605a8c86f3dd2f1b3f59d8a18953339a900f1f74e63"


def test_the_dockerfile_may_be_elsewhere(tree):
    write(Path("build/Dockerfile"), "FROM busybox\n")
    assert (
        hashed("build/Dockerfile")
        == "6db9f4bd873f20472ece44ed8938fe0a84b1c7a2cdd375c21874d4b5be66d149"
    )


def test_without_a_dockerfile_the_context_alone_counts(tree):
    assert hashed("") == "4675c4fd976635e29f1ce2332848767dff2951226efd71b8a53abc631d387657"


def test_links_count_as_what_they_lead_to(tree):
    (tree / "docs/link.md").symlink_to("readme.md")
    (tree / "docs/folder").symlink_to("../a.b")
    assert hashed() == "8f6e7bd44fc6191bad6f00016976a7e9a82f9a99cd203fbba010da9a8b45199e"


def test_a_link_to_nowhere_ends_its_folder(tree):
    (tree / "docs/ghost").symlink_to("nowhere")
    assert hashed() == "c9040dfb22fccc065daa7bb50669b0f626fa89fd755ff19b8eb2213515c635c5"


def test_an_executable_is_not_the_same_file(tree):
    (tree / "main.go").chmod(0o755)
    assert hashed() == "f5a35c7c630591f1af6bd4cf0eaebd3b5d742391f1a8cb0571630ec489239484"


def test_named_contexts_count_in_the_order_of_their_names(tree):
    write(Path("one/x"), "1")
    write(Path("two/x"), "2")
    first = context_hash("app", "app/Dockerfile", {"p": "one", "q": "two"})
    assert first == context_hash("app", "app/Dockerfile", {"q": "two", "p": "one"})
    assert first != context_hash("app", "app/Dockerfile", {"p": "two", "q": "one"})
    assert first != hashed()


def test_a_remote_context_is_left_to_the_builder(tree):
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert context_hash("https://github.com/docker-library/hello-world.git", "", {}) == empty


@pytest.mark.parametrize(
    ("change", "other"),
    [
        ("content", lambda tree: (tree / "main.go").write_text("package other\n")),
        ("name", lambda tree: (tree / "main.go").rename(tree / "other.go")),
        ("Dockerfile", lambda tree: (tree / "Dockerfile").write_text("FROM busybox\n")),
        ("one file more", lambda tree: (tree / "new").write_text("")),
        ("one file less", lambda tree: (tree / "main.go").unlink()),
    ],
)
def test_every_change_shows(tree, change, other):
    before = hashed()
    other(tree)
    assert hashed() != before, change


def test_an_unreadable_pattern_is_named(tree):
    write(tree / ".dockerignore", "docs/[\n")
    with pytest.raises(ValueError, match=r"\.dockerignore: docs/\["):
        hashed()


@pytest.mark.parametrize(
    ("mode", "text"),
    [
        (0o100644, "-rw-r--r--"),
        (0o100755, "-rwxr-xr-x"),
        (0o104755, "urwxr-xr-x"),
        (0o120777, "Lrwxrwxrwx"),
        (0o103777, "gtrwxrwxrwx"),
    ],
)
def test_a_mode_reads_as_go_writes_it(mode, text):
    assert file_mode(mode) == text
