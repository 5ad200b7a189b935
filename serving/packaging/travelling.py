"""What of a project.yaml goes into a package: what the service needs, and nothing that says where this company's data lie."""

from pathlib import Path

import yaml

from leitstand.incoming import Incoming
from leitstand.spec import ProjectSpec, Source

ELSEWHERE = Path("not_in_the_package")  # a source has to have a place
HEAD = "# Written for a package: where data come from, who is told, and comments stay where it was made.\n"


def travelling_text(spec: ProjectSpec) -> str:
    """Return the project.yaml of a package; it is written anew, for a comment may hold a password, too."""
    content = travelling(spec).model_dump(mode="json", exclude_unset=True)
    return HEAD + yaml.safe_dump(content, allow_unicode=True, sort_keys=False)


def travelling(spec: ProjectSpec) -> ProjectSpec:
    """Return the project without places of data and addresses of messages, which only training and monitoring use.

    Whether the service takes rows stays: it keeps them until they are fetched.
    """
    data = spec.data
    sources = {name: source if source.sample is not None else Source(file=ELSEWHERE) for name, source in data.sources.items()}
    incoming = Incoming(api=True) if data.incoming is not None and data.incoming.api else None
    return spec.model_copy(
        update={
            "data": data.model_copy(update={"sources": sources, "incoming": incoming}),
            "when_it_errs": spec.when_it_errs.model_copy(update={"notify": ()}),
        }
    )
