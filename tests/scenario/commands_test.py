"""The commands beside `run`: what they say and how they exit, with files that are whole, broken, missing or no files at all."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from support.http_client import fetch
from support.process import free_port, wait_until
from support.sekisho import BINARY, Sekisho, run_command

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VERSION_SCRIPT = os.path.join(TREE, "main", "write_version.cmake")

# Each is refused by `check`, and none of it is the admin section's fault.
BROKEN_ELSEWHERE = {
    "an unknown key": "lmits: []\n",
    "a wrong value": "limits: [{name: x, rate: 5}]\n",
    "a variable that is not set": "hosts: ['${SEKISHO_TEST_UNSET}']\n",
    "a list that never ends": "limits: [\n",
    "a quote that never ends": 'hosts: ["www\n',
    "no text": "hosts: [\x00]\n",
}


class Folder(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory(prefix="sekisho-test-"))

    def write(self, text, name="sekisho.yaml"):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def assert_refused(self, done, *told, status=1):
        """It exits with `status`, and stderr says each of `told`."""
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        for text in told:
            self.assertIn(text, done.stderr)


class AdminAddressTest(Folder):
    """status, reload, healthcheck and bans take no more than the admin address from the file."""

    def test_a_file_broken_elsewhere_does_not_make_a_healthy_proxy_sick(self):
        with Sekisho("127.0.0.1:1") as sekisho:
            for what, text in BROKEN_ELSEWHERE.items():
                with self.subTest(what):
                    sekisho.configure(text)
                    self.assertEqual(run_command("check", "-c", sekisho.config_path).returncode, 1)
                    for command in ("healthcheck", "status", "bans"):
                        done = run_command(command, "-c", sekisho.config_path)
                        self.assertEqual(done.returncode, 0, f"{command}: {done.stderr}")
                    done = run_command("reload", "-c", sekisho.config_path)
                    self.assert_refused(done, "sekisho.yaml:")

    def test_a_text_that_is_no_yaml_is_told_and_its_own_lines_count(self):
        with Sekisho("127.0.0.1:1") as sekisho:
            sekisho.configure("limits: [\n")
            done = run_command("healthcheck", "-c", sekisho.config_path)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(f"{sekisho.config_path}:", done.stderr)
            self.assertIn(f"asking 127.0.0.1:{sekisho.admin_port} nonetheless", done.stderr)

    def test_without_a_section_the_default_is_asked(self):
        missing = os.path.join(self.folder, "missing.yaml")
        for source, note in (
            (self.write("lmits: []\n", "silent"), ""),
            (self.write("limits: [\n", "torn"), "torn:"),
            (self.write("[a, list]\n", "list"), "must be a mapping"),
            (self.write("", "empty"), "the file is empty"),
            (missing, "missing.yaml: cannot be opened: No such file or directory"),
            (self.folder, "cannot be read: Is a directory"),
            ("env:SEKISHO_TEST_UNSET", "the environment variable SEKISHO_TEST_UNSET is not set"),
        ):
            with self.subTest(source):
                done = run_command("healthcheck", "-c", source)
                self.assertIn(note, done.stderr)
                self.assertEqual("nonetheless" in done.stderr, note != "", done.stderr)
                if done.returncode != 0:  # where nothing listens at the default
                    self.assert_refused(done, "the admin port 127.0.0.1:9180 does not answer")

    def test_a_section_that_is_wrong_is_told_with_its_place(self):
        for text, told in (
            ("admin: 127.0.0.1\n", ":1:8: admin: "),
            ("admin:\n", ":1:1: admin has no value"),
            ("lmits: []\nadmin: {lisen: 127.0.0.1:1}\n", ":2:9: admin has no key lisen; did you mean listen?"),
            ("admin: {listen: 127.0.0.1:1, token: '${SEKISHO_TEST_UNSET}'}\n", ":1:37: the environment variable"),
            ("admin:\n  listen: 127.0.0.1:1\n  listen: 127.0.0.1:2\n", ":3:3: listen stands here twice"),
            ("hosts: [&a '${SEKISHO_TEST_UNSET}']\nadmin: *a\n", ":1:9: the environment variable"),
            ("admin: [\n  127.0.0.1:1]\nhosts: {\n", ":1:8: admin must be an address"),
        ):
            with self.subTest(text):
                self.assert_refused(run_command("healthcheck", "-c", self.write(text)), "sekisho.yaml" + told)
        self.assert_refused(run_command("status", "-c", self.write("admin: off\n")), "says `admin: off`")

    def test_a_port_that_nobody_listens_on(self):
        port = free_port()
        for address in (f"127.0.0.1:{port}", f'"[::1]:{port}"', f"unix:{self.folder}/nobody.sock"):
            source = self.write(f"admin: {address}\n")
            for command in ("status", "reload", "healthcheck", "bans"):
                with self.subTest(f"{command} {address}"):
                    told = "the admin port " + address.strip('"') + " does not answer"
                    self.assert_refused(run_command(command, "-c", source), told, "is sekisho running")

    def test_ipv6_and_a_token(self):
        port = free_port()
        section = f'admin: {{listen: "[::1]:{port}", token: "${{SEKISHO_TEST_TOKEN}}"}}\n'
        environment = {"SEKISHO_TEST_TOKEN": "open-sesame"}
        with Sekisho("127.0.0.1:1", section, environment, wait=False, admin_port=port) as sekisho:

            def ask(command, token):
                source = ["-c", sekisho.config_path]
                return run_command(command, *source, environment={"SEKISHO_TEST_TOKEN": token})

            wait_until(lambda: ask("healthcheck", "open-sesame").returncode == 0, "sekisho answers")
            self.assertEqual(ask("reload", "open-sesame").returncode, 0)
            self.assert_refused(ask("reload", "wrong"), "token")
            self.assertEqual(ask("healthcheck", "wrong").returncode, 0)

    def test_the_section_from_a_variable_and_from_stdin(self):
        with Sekisho("127.0.0.1:1") as sekisho:
            section = f"admin: 127.0.0.1:{sekisho.admin_port}\n"
            done = run_command("healthcheck", "-c", "env:SEKISHO_TEST_YAML", environment={"SEKISHO_TEST_YAML": section})
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(run_command("status", "-c", "-", stdin=section).returncode, 0)
            done = run_command("healthcheck", environment={"SEKISHO_CONFIG": sekisho.config_path})
            self.assertEqual(done.returncode, 0, done.stderr)


class ExplainTest(Folder):
    """The request goes through the parser that reads real ones."""

    SETTINGS = """
upstream: 127.0.0.1:3000
limits:
  - {name: trial, match: {paths: [/trial]}, block: true, shadow: true}
  - {name: quiet, match: {paths: [/quiet]}, rate: 5/s, shadow: true}
  - {name: probes, match: {paths: builtin:probes}, block: true}
"""

    def explain(self, *arguments):
        return run_command("explain", "-c", self.write(self.SETTINGS), *arguments)

    def test_what_the_parser_refuses(self):
        for arguments, verdict in (
            (["--method", "CONNECT", "/"], "405: CONNECT"),
            (["--method", "CONNECT", "www.example.jp:443"], "405: CONNECT"),
            (["--method", "TRACE", "/"], "405: "),
            (["--method", "GE\tT", "/"], "400: no valid method"),
            (["--method", "", "/"], "400: no valid method"),
            (["--method", "M" * 65, "/"], "501: "),
            (["*"], "400: the target * is for OPTIONS alone"),
            (["/a\x01b"], "400: an invalid byte in the target"),
            (["/a b"], "400: "),
            (["/caf\u00e9"], "400: an invalid byte in the target"),
            (["ftp://www.example.jp/"], "400: the target is neither a path nor an http URI"),
            (["--header", "X: a\x07", "/"], "400: a control character"),
            (["--header", "X: a\r", "/"], "400: a bare CR"),
            (["--header", "X : a", "/"], "400: no colon"),
            (["--header", " X: a", "/"], "400: a folded line"),
            (["--header", "Content-Length: 1", "--header", "Transfer-Encoding: chunked", "/"], "400: "),
            (["--header", "Expect: cake", "/"], "417: "),
            (["--header", "X: " + "a" * 90000, "/"], "431: the head is too large"),
        ):
            with self.subTest(str(arguments)[:60]):
                done = self.explain(*arguments)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn("would be answered " + verdict, done.stdout)
                self.assertNotIn("limit probes", done.stdout)
                self.assertTrue(done.stdout.replace("\n", "").isprintable(), done.stdout)

    def test_what_it_takes_is_judged(self):
        for arguments, told in (
            (["--method", "OPTIONS", "*"], "OPTIONS *"),
            (["https://www.example.jp/posts?q=1#part"], "GET /posts?q=1\n"),
            (["http://www.example.jp"], "www.example.jp: admitted"),
            (["--header", "Host: shop.example.jp", "/"], "shop.example.jp: admitted"),
            (["--header", "X-Forwarded-For: 198.51.100.7", "/"], "client        198.51.100.7"),
            (["--peer", "2001:db8::1", "/"], "client        2001:db8::1"),
            (["/.env"], "blocked, answered 403, by limit probes"),
        ):
            with self.subTest(str(arguments)):
                done = self.explain(*arguments)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn(told, done.stdout)

    def test_no_argument_smuggles_a_second_line(self):
        for arguments in (
            ["--header", "X: a\r\nHost: evil", "/"],
            ["--header", "X: a\nHost: evil", "/"],
            ["--method", "GET / HTTP/1.1\r\nX: a", "/"],
            ["/ HTTP/1.1\r\nX: a"],
        ):
            with self.subTest(str(arguments)):
                self.assert_refused(self.explain(*arguments), "holds a line end", status=2)

    def test_arguments_that_make_no_request(self):
        self.assert_refused(self.explain("www.example.jp/"), "is neither http://HOST/PATH nor /PATH", status=2)
        self.assert_refused(self.explain("--header", "no colon", "/"), "is not 'NAME: VALUE'", status=2)
        self.assert_refused(self.explain("--peer", "somebody", "/"), "is no address", status=2)
        self.assert_refused(self.explain(), "URL is required", status=2)

    def test_a_limit_in_shadow_is_marked(self):
        lines = self.explain("/trial").stdout.splitlines()
        self.assertIn("limit trial   matches: path matches /trial; in shadow", lines)
        self.assertIn("limit quiet   not matched: paths; in shadow", lines)
        self.assertIn("limit probes  not matched: paths", lines)
        self.assertIn("outcome       passed to the upstream 127.0.0.1:3000", lines)

    def test_the_peer_is_one_that_the_file_trusts(self):
        ranges = {
            "createDate": "2026-11-01-00-00-00",
            "prefixes": [{"ip_prefix": "192.0.2.0/24", "service": "CLOUDFRONT_ORIGIN_FACING"}],
            "ipv6_prefixes": [],
        }
        aws = f"{{aws_ip_ranges: {self.write(json.dumps(ranges), 'ip-ranges.json')}}}"
        for trusted, peer in (("private", "10.0.0.1"), ("198.51.100.0/28", "198.51.100.0"), (aws, "192.0.2.0")):
            text = f"upstream: 127.0.0.1:3000\nclient_ip: {{trusted_proxies: [{trusted}]}}\n"
            done = run_command("explain", "-c", self.write(text), "/")
            self.assertIn(f"peer {peer}: a trusted proxy", done.stdout)

    def test_a_file_with_problems(self):
        done = run_command("explain", "-c", self.write("upstream: 127.0.0.1:1\nlmits: []\n"), "/")
        self.assertEqual(done.returncode, 1)
        self.assertIn("sekisho.yaml:2:1: the file has no key lmits; did you mean limits?", done.stdout)


class CatalogueTest(unittest.TestCase):
    def test_a_group_by_its_name_or_as_the_file_has_it(self):
        group = run_command("catalogue", "wordpress")
        self.assertEqual(group.returncode, 0)
        self.assertIn("/wp-login*/**\n", group.stdout)
        self.assertEqual(run_command("catalogue", "builtin:probes/wordpress").stdout, group.stdout)
        whole = run_command("catalogue")
        self.assertIn("[wordpress]\n" + group.stdout, whole.stdout)
        named = run_command("catalogue", "builtin:probes")
        self.assertEqual((named.returncode, named.stdout), (0, whole.stdout))

    def test_a_group_that_is_not_there(self):
        for name, told in (
            ("wordpres", "did you mean builtin:probes/wordpress?"),
            ("builtin:probs", '"builtin:probs"; did you mean builtin:probes?'),
            ("builtin:probes/", '"builtin:probes/"'),
            ("xyz", "php, wordpress, secrets, iot, java, cgi, backups, shells"),
        ):
            with self.subTest(name):
                done = run_command("catalogue", name)
                self.assertEqual((done.returncode, done.stdout), (1, ""))
                self.assertIn(told, done.stderr)


class BansTest(Folder):
    def test_a_ban_is_listed_and_lifted(self):
        limits = "limits: [{name: trap, match: {paths: [/trap]}, block: true, ban: 1h}]\n"
        with Sekisho("127.0.0.1:1", limits) as sekisho:
            fetch(sekisho.address, "/trap", fields=[("X-Forwarded-For", "203.0.113.9")])
            source = ["-c", sekisho.config_path]
            self.assertIn("203.0.113.9", run_command("bans", *source).stdout)
            self.assert_refused(run_command("bans", "lift", "203.0.113.8", *source), "203.0.113.8 is not banned")
            self.assert_refused(run_command("bans", "lift", "", *source), "400 say whose ban to lift")
            for order in (["bans", "lift", "203.0.113.9", *source], ["bans", *source, "lift", "203.0.113.9"]):
                done = run_command(*order)
                self.assertEqual(done.returncode, 0 if order[-1] == source[-1] else 1, done.stderr)
            self.assertEqual(json.loads(run_command("bans", *source).stdout), {"bans": [], "unlisted": 0})
            fetch(sekisho.address, "/trap", fields=[("X-Forwarded-For", "2001:db8::9")])
            self.assertEqual(run_command("bans", "lift", "[2001:DB8::1]", *source).returncode, 0)


class UsageTest(Folder):
    """Exit 0: done; 1: refused or failed; 2: bad usage."""

    COMMANDS = ("run", "check", "explain", "catalogue", "status", "reload", "healthcheck", "bans", "bans lift")
    NO_FILES = ("missing.yaml", ".", "env:SEKISHO_TEST_UNSET")

    def test_help_and_version(self):
        self.assertIn("healthcheck", run_command("--help").stdout)
        for command in self.COMMANDS:
            done = run_command(*command.split(), "--help")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn(f"Usage: sekisho {command}", done.stdout)
            self.assertIn("--config SOURCE", done.stdout)
        done = run_command("--version")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"^sekisho \d+\.\d+\.\d+ \(([0-9a-f]{12}|unknown)\)\n$")

    def test_a_running_proxy_tells_the_same_version(self):
        with Sekisho("127.0.0.1:1") as sekisho:
            ((_, labels),) = [key for key in sekisho.metrics() if key[0] == "sekisho_build_info"]
        labels = dict(labels)
        self.assertEqual(run_command("--version").stdout, f"sekisho {labels['version']} ({labels['revision']})\n")

    def test_bad_usage_names_the_command_and_what_is_wrong(self):
        for arguments, told in (
            ([], "sekisho: which command?"),
            (["helthcheck"], "sekisho: there is no command helthcheck; did you mean healthcheck?"),
            (["--bogus"], "sekisho: there is no option --bogus"),
            (["-c", "x.yaml", "check"], "sekisho check: -c must stand behind the name of the command"),
            (["check", "--bogus"], "sekisho check: The following argument was not expected: --bogus"),
            (["check", "sekisho.yaml"], "sekisho check: The following argument was not expected: sekisho.yaml"),
            (["status", "-c"], "sekisho status: --config: 1 required SOURCE missing"),
            (["healthcheck", "-c", ""], "sekisho healthcheck: --config: names nothing"),
            (["run", "-c", "env:"], "sekisho run: --config: names nothing"),
            (["bans", "lift"], "sekisho bans lift: ADDRESS is required"),
            (["bans", "list"], "sekisho bans: The following argument was not expected: list"),
        ):
            with self.subTest(str(arguments)):
                self.assert_refused(run_command(*arguments), told, "--help to see what there is.", status=2)

    def test_what_is_no_file(self):
        for source in self.NO_FILES:
            for arguments in (["run"], ["check"], ["explain", "/"]):
                with self.subTest(f"{arguments} {source}"):
                    done = run_command(*arguments, "-c", source)
                    self.assertEqual(done.returncode, 1)
                    self.assertTrue((done.stdout + done.stderr).startswith(source + ": "), done.stdout + done.stderr)

    def test_check_reads_every_form_of_source(self):
        text = "upstream: 127.0.0.1:3000\n"
        for source in (self.write(text), "env:SEKISHO_TEST_YAML", "-"):
            done = run_command("check", "-c", source, stdin=text, environment={"SEKISHO_TEST_YAML": text})
            self.assertEqual(done.returncode, 0, done.stdout)
            self.assertIn("No limits", done.stdout)
        self.assertEqual(run_command("check", "--strict", "-c", self.write(text)).returncode, 1)

    def test_an_answer_that_cannot_be_written_is_no_success(self):
        for arguments in (["catalogue"], ["catalogue", "shells"]):  # more than a buffer holds, and less
            with open("/dev/full", "w", encoding="ascii") as full:
                done = subprocess.run([BINARY, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("cannot write to", done.stderr)

    def test_run_says_which_port_is_taken(self):
        with Sekisho("127.0.0.1:1") as sekisho:
            done = run_command("run", "-c", sekisho.config_path)
            self.assert_refused(done, f"cannot listen on 127.0.0.1:{sekisho.port}: the address is in use")


class RevisionTest(Folder):
    """What each build runs to learn its revision."""

    def revision(self):
        output = os.path.join(self.folder, "version.cpp")
        settings = {"GIT": shutil.which("git"), "SOURCE": self.folder, "VERSION": "1.2.3", "OUTPUT": output}
        command = ["cmake", *(f"-D{name}={value}" for name, value in settings.items()), "-P", VERSION_SCRIPT]
        subprocess.run(command, env=self.environment, check=True)
        with open(output, encoding="utf-8") as file:
            text = file.read()
        self.assertIn('version = "1.2.3"', text)
        return re.search('revision = "(.*)"', text).group(1), os.stat(output).st_mtime_ns

    def git(self, *arguments):
        who = ["-c", "user.name=x", "-c", "user.email=x@example.jp"]
        command = ["git", *who, *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, check=True, capture_output=True, text=True
        ).stdout.strip()

    def test_it_follows_each_commit_and_works_without_git(self):
        # No repository around the folder counts, nor one that a hook names.
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        self.environment["GIT_CEILING_DIRECTORIES"] = os.path.dirname(os.path.realpath(self.folder))
        self.assertEqual(self.revision()[0], "unknown")
        self.git("init", "-q")
        self.assertEqual(self.revision()[0], "unknown")
        for _ in range(2):
            self.git("commit", "-q", "--allow-empty", "--allow-empty-message", "-m", "")
            found = self.revision()
            self.assertEqual(found[0], self.git("rev-parse", "--short=12", "HEAD"))
            self.assertEqual(self.revision(), found)  # not written again


if __name__ == "__main__":
    unittest.main(verbosity=2)
