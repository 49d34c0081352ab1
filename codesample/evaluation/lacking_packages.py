"""Problems that nothing can be judged of here, because packages that they name are not installed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from codesample.errors import ParameterError
from codesample.evaluation.options import RunOptions
from codesample.execution.caller.granted_modules import missing_modules
from codesample.records import Problem

__all__ = ["lacking_packages", "notice_of_lacking", "refuse_if_all_lack"]

_NAMED = 12

_DISTRIBUTIONS = {
    "Crypto": "pycryptodome",
    "Levenshtein": "python-Levenshtein",
    "PIL": "Pillow",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "docx": "python-docx",
    "faker": "Faker",
    "flask_login": "Flask-Login",
    "flask_mail": "Flask-Mail",
    "flask_restful": "Flask-RESTful",
    "flask_wtf": "Flask-WTF",
    "mpl_toolkits": "matplotlib",
    "python_http_client": "python-http-client",
    "requests_mock": "requests-mock",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "wtforms": "WTForms",
    "yaml": "PyYAML",
}
"""What to install for a module that has another name."""


def lacking_packages(problems: Iterable[Problem], run: RunOptions) -> dict[str, tuple[str, ...]]:
    """Return, by task id, the modules that a problem names and that programs could not import here.

    Args:
        run: A judge of the caller's own may have other packages: what it has is not known here.
    """
    if run.judge is not None:
        return {}
    wanted = {each.task_id: each.tests.imports for each in problems if each.tests.imports}
    # the same few are named again and again, and each is looked for in folders
    missing = set(missing_modules(sorted({name for names in wanted.values() for name in names})))
    lacking = {task_id: tuple(name for name in names if name in missing) for task_id, names in wanted.items()}
    return {task_id: names for task_id, names in lacking.items() if names}


def notice_of_lacking(lacking: Mapping[str, tuple[str, ...]], problems: int) -> str:
    """Say how many of so many problems are left out and what they need; "" for none."""
    if not lacking:
        return ""
    tops = Counter(top for names in lacking.values() for top in _tops(names))
    wanted = dict.fromkeys(_DISTRIBUTIONS.get(top, top) for top, _ in tops.most_common())
    more = f" and {len(wanted) - _NAMED} more" if len(wanted) > _NAMED else ""
    named = list(wanted)[:_NAMED]
    return (
        f"{len(lacking)} of {problems} problems need packages that are not installed here, and are left out: "
        f"{', '.join(named)}{more}; to have them judged: pip install {' '.join(named)}"
    )


def _tops(names: Iterable[str]) -> list[str]:
    return sorted({name.partition(".")[0] for name in names})


def refuse_if_all_lack(lacking: Mapping[str, tuple[str, ...]], problems: int) -> None:
    """Refuse to begin where nothing is left to judge.

    Raises:
        ParameterError: every one of so many problems lacks a package; says which.
    """
    if lacking and len(lacking) == problems:
        raise ParameterError(notice_of_lacking(lacking, problems))
