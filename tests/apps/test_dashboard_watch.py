"""`addonctl dashboard --watch`: a screen of its own, which is given back; refused where there is no terminal."""

from tests.apps.terminal import in_process, interrupted_in_terminal


def test_ctrl_c_gives_the_terminal_back_and_leaves_what_was_read_last() -> None:
    written, code = interrupted_in_terminal(100, "Ctrl-C ends", "dashboard", "--demo", "--watch")
    assert code == 0
    assert "Traceback" not in written
    watched, left, after = written.partition("\x1b[?1049l")
    assert watched.index("\x1b[?1049h") < watched.index("Ctrl-C ends")
    assert left
    assert "more lines below" in watched
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")
    assert "EFFICIENCY, OF 100" in after
    assert "Ctrl-C ends" not in after


def test_without_a_terminal_or_of_a_document_it_is_refused() -> None:
    done = in_process("dashboard", "--demo", "--watch")
    assert done.returncode == 1
    assert "--watch needs a terminal" in done.stderr
    done = in_process("dashboard", "--demo", "--watch", "-o", "json")
    assert "-o json and --watch cannot be used together" in done.stderr
    assert not done.stdout
