"""MIXPANEL_PROJECTS_FILE: what is taken, and every fault at once, with its line and without a secret."""

import pytest

from consumer import app
from consumer.settings import SettingsError, load
from consumer.settings.projects import FIELDS
from consumer.settings.read_back import ReadBack
from tests.settings.test_settings import REQUIRED

SECRET = "s3cret-token"


@pytest.fixture
def given(tmp_path):
    """Loads settings with a file of projects."""

    def load_with(content, **more):
        file = tmp_path / "projects.toml"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return load(REQUIRED | {"MIXPANEL_PROJECTS_FILE": str(file)} | more)

    return load_with


@pytest.fixture
def faults(given):
    """What is wrong with a file of projects; a secret is never in it."""

    def faults_of(content, **more):
        with pytest.raises(SettingsError) as refused:
            given(content, **more)
        assert SECRET not in str(refused.value)
        return [problem.removeprefix("MIXPANEL_PROJECTS_FILE ") for problem in refused.value.problems]

    return faults_of


def test_projects(given, tmp_path):
    """A token, or the file that has it; a region, a URL, or what the settings say."""
    (tmp_path / "secret").write_text("of-a-file\n")
    settings = given(
        f'[emea]\ntoken_file = "{tmp_path}/secret"\nregion = "eu"\n'
        '["a.b"]\ntoken = "x"\nurl = "http://proxy:1/mp/"\n[us]\ntoken = "y"\n',
        MIXPANEL_REGION="in",
    )
    assert {name: (project.token, project.url) for name, project in settings.projects.items()} == {
        "default": ("t0ken", "https://api-in.mixpanel.com"),
        "emea": ("of-a-file", "https://api-eu.mixpanel.com"),
        "a.b": ("x", "http://proxy:1/mp"),
        "us": ("y", "https://api-in.mixpanel.com"),
    }


@pytest.mark.parametrize("number", ["77", "'77'"])
def test_what_it_is_read_back_with(given, tmp_path, number):
    """A number and a service account, and the Query API of its region; a URL of nobody's is a proxy's."""
    (tmp_path / "secret").write_text("of-a-file\n")
    account = f"service_account_username = 'reader'\nservice_account_secret_file = '{tmp_path}/secret'\n"
    settings = given(
        f"[emea]\ntoken = 'x'\nregion = 'eu'\nproject_id = {number}\n{account}"
        "[host]\ntoken = 'x'\nurl = 'https://api-in.mixpanel.com'\n[proxy]\ntoken = 'y'\nurl = 'http://proxy:1'\n"
        "[none]\ntoken = 'z'\n",
        MIXPANEL_QUERY_URL="http://query:2",
    )
    found = {name: project.read_back for name, project in settings.projects.items()}
    assert found["default"] is None
    assert found["emea"] == ReadBack("https://eu.mixpanel.com", "77", "reader", "of-a-file")
    urls = [found[name].query_url for name in ("host", "proxy", "none")]
    assert urls == ["https://in.mixpanel.com", "http://query:2", "http://query:2"]
    assert found["none"].missing() == ["project_id", "service_account_username", "service_account_secret"]
    (row,) = [row for row in settings.rows() if row.name == "[emea]"]
    assert row.value == "https://api-eu.mixpanel.com, token ********, project 77, service account reader ********"
    assert "of-a-file" in settings.secrets()
    assert "of-a-file" not in repr(settings.projects) + repr(settings.rows())


@pytest.mark.parametrize("number", ["true", "7.5", "0", "-7", "[7]"])
def test_what_is_no_number_of_a_project(faults, number):
    """Whatever TOML makes of it."""
    (found,) = faults(f"[a]\ntoken = 'x'\nproject_id = {number}\n")
    assert found.startswith("line 3, [a] project_id: is ")


def test_half_an_account(faults):
    """A name without a secret, or the other way round; a number that is none; a secret twice."""
    found = faults(
        f"[a]\ntoken = 'x'\nproject_id = 'abc'\nservice_account_username = 'u'\n"
        f"[b]\ntoken = 'y'\nservice_account_secret = '{SECRET}'\n"
        f"[c]\ntoken = 'z'\nservice_account_username = 'u'\nservice_account_secret = '{SECRET}'\n"
        "service_account_secret_file = '/nowhere'\n"
    )
    number = "the project's number, as Project Settings shows it (not its token)"
    absent = 'it is "/nowhere": the file cannot be read (No such file or directory)'
    assert found == [
        f'line 3, [a] project_id: is "abc": allowed is {number}',
        "line 4, [a] service_account_username: is given without service_account_secret: give both",
        "line 7, [b] service_account_secret: is given without service_account_username: give both",
        "line 12, [c] service_account_secret_file: service_account_secret is given too: give one of them",
        f"line 12, [c] service_account_secret_file: {absent}",
    ]


def test_without_the_file():
    """There is the default project alone, and none where no token is needed."""
    assert list(load(REQUIRED).projects) == ["default"]
    assert not load({}, need=()).projects


@pytest.mark.parametrize("need", [None, ("MIXPANEL_TOKEN",)])
def test_no_default(tmp_path, need):
    """With a file the token is optional: there is no default project then."""
    file = tmp_path / "projects.toml"
    file.write_text('[us]\ntoken = "y"\n')
    environ = {name: value for name, value in REQUIRED.items() if name != "MIXPANEL_TOKEN"}
    assert list(load(environ, {"MIXPANEL_PROJECTS_FILE": str(file)}, need).projects) == ["us"]


def test_every_fault_at_once(faults):
    """Each is named with its line, table and field."""
    found = faults(
        f"""[one]
token = "{SECRET} x"
region = "asia"

[two]
token = "{SECRET}"
token_file = "/nowhere"
region = "eu"
url = "http://x"
colour = "red"

[default]
token = "d"
["no name"]
token = 5
[empty]
"""
    )
    assert found == [
        "line 2, [one] token: has a wrong value (not shown): allowed is printable ASCII without white space",
        'line 3, [one] region: is "asia": allowed is one of us, eu, in',
        "line 7, [two] token_file: token is given too: give one of them",
        'line 7, [two] token_file: it is "/nowhere": the file cannot be read (No such file or directory)',
        "line 9, [two] url: region is given too: give one of them",
        f"line 10, [two] colour: is no field of a project: there are {', '.join(FIELDS)}",
        "line 12, [default]: is the name of MIXPANEL_TOKEN's project: take another one",
        "line 14, [no name]: a project's name is up to 64 letters, digits, dots, dashes and underscores",
        "line 15, [no name] token: is no text: put it in quotes",
        "line 16, [empty]: has neither token nor token_file",
    ]


FORMS = {
    "a dotted key": ('a.token = "x"\na.region = "asia"\n', 2),
    "an inline table": ('\na = {token = "x", region = "asia"}\n', 2),
    "an escape": ('["\\u0061"]\ntoken = "x"\nregion = "asia"\n', 3),
    "Windows": ('[a]\r\ntoken = "x"\r\nregion = "asia"\r\n', 3),
    "other ends of a line": ('# \u2028 \x85 \n[a]\ntoken = "x"\nregion = "asia"\n', 4),
    "a text of several lines": ('[b]\ntoken = """\ny"""\n[a]\ntoken = "x"\nregion = "asia"\n', 6),
    "a header in a text": ("[b]\ntoken = '''\n[a]'''\n[a]\ntoken = 'x'\nregion = 'asia'\n", 6),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_line_in_every_form_of_toml(faults, form):
    """As an editor counts them."""
    content, line = FORMS[form]
    assert [fault for fault in faults(content) if "asia" in fault] == [
        f'line {line}, [a] region: is "asia": allowed is one of us, eu, in'
    ]


def test_a_name_with_a_dot_out_of_quotes(faults):
    """It is a table in a table: the line says what to write."""
    without, dotted = faults('[emea.prod]\ntoken = "x"\n')
    assert without == "line 1, [emea]: has neither token nor token_file"
    assert dotted.startswith("line 1, [emea] prod: is no field of a project")
    assert dotted.endswith('; a name with a dot stands in quotes: ["emea.prod"]')


def test_the_mark_of_an_editor(given, tmp_path):
    """A byte order mark is no part of a file."""
    (tmp_path / "secret").write_bytes(b"\xef\xbb\xbfof-a-file\r\n")
    settings = given(f'\ufeff[a]\ntoken_file = "{tmp_path}/secret"\n')
    assert settings.projects["a"].token == "of-a-file"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "has no table"),
        ("\ufeff", "has no table"),
        ('[[a]]\ntoken = "x"\n', "line 1, [a]: is no table"),
        ("[a\n", "is no TOML: Expected"),
        (f'[a]\ntoken = "{SECRET}\n', "(at line 2"),
        (b"[a]\n# \xff", "is not UTF-8 text"),
        ('a = "x"\n', "line 1, [a]: is no table"),
        ('[a]\ntoken = ""\n', "line 2, [a] token: is empty"),
        ('a.token = "b c"\n', "line 1, [a] token: has a wrong value"),
    ],
)
def test_a_file_that_is_none(faults, content, fault):
    """The first thing that is wrong is said."""
    assert fault in faults(content)[0]


def test_the_same_project_twice(faults, given):
    """One token at one host is one project, whatever it is called; at another host it is another one."""
    twice = f'[a]\ntoken = "{SECRET}"\nregion = "us"\n[b]\ntoken = "{SECRET}"\nurl = "https://API.mixpanel.com"\n'
    assert faults(twice) == ["line 4, [b]: has the token and the host of project a: give one of them"]
    for url in ("https://api.mixpanel.com:443", "https://api.mixpanel.com./", "http://api.mixpanel.com/proxied"):
        assert len(faults(f'[a]\ntoken = "x"\nregion = "us"\n[b]\ntoken = "x"\nurl = "{url}"\n')) == 1
    # Whatever else is wrong with one of them.
    found = faults('[a]\ntoken = "x"\n[b]\ntoken = "x"\nproject_id = "abc"\n')
    assert [fault.partition(",")[0] for fault in found] == ["line 5", "line 3"]
    (fault,) = faults('[a]\ntoken = "t0ken"\n')
    assert fault == "line 1, [a]: has the token and the host of project default: give one of them"
    assert len(given('[a]\ntoken = "t0ken"\nregion = "eu"\n').projects) == 2


def test_no_secret_is_shown(given):
    """Neither a row nor a representation has a token; what scrubs knows it."""
    settings = given(f'[a]\ntoken = "{SECRET}"\nregion = "eu"\n')
    assert SECRET in settings.secrets()
    assert SECRET not in repr(settings) + repr(settings.projects) + repr(settings.rows())
    (row,) = [row for row in settings.rows() if row.name == "[a]"]
    assert row.value == "https://api-eu.mixpanel.com, token ********"
    assert row.origin.endswith("projects.toml")


def test_each_project_has_its_client(given):
    """The core and the senders know the same names."""
    settings = given('[a]\ntoken = "x"\nregion = "eu"\n')
    assert app.endpoints(settings).keys() == settings.projects.keys()
    core = app.pipeline(settings, app.limits(settings))
    assert core.destinations.by_name.keys() == settings.projects.keys()


def test_a_service_account_that_others_can_read(given):
    """The host of the Query API is told where a project of the file alone sends its secret there."""
    account = "service_account_username = 'u'\nservice_account_secret = 's'\n"
    words = "MIXPANEL_QUERY_URL http://query:2 gets the service account's secret without encryption: use https://"
    told = {
        region: words in given(f"[a]\ntoken = 'x'\n{region}{account}", MIXPANEL_QUERY_URL="http://query:2").warnings
        for region in ("", "region = 'eu'\n")
    }
    assert told == {"": True, "region = 'eu'\n": False}
