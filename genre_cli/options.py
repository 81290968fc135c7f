"""Click options for the settings that a class of the library declares."""

import dataclasses
from typing import Any

import click

from genre_cli.advice import in_options
from genre_cli.common import Command
from movie_genres.base.settings import Option, Setting, settings_of


class Names(click.ParamType):
    """Names joined by commas; its value is a tuple."""

    name = "names"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        return value if isinstance(value, tuple) else tuple(value.split(",")) if value else ()


class SectionedOption(click.Option):
    """An option that stands in a section of the help."""

    section: str


class SectionedCommand(Command):
    """A command whose help lists its options by section."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.params:
            if isinstance(param, SectionedOption) and (record := param.get_help_record(ctx)):
                sections.setdefault(param.section, []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records, col_max=26)


def options_for(*groups: type) -> list[click.Parameter]:
    """The options for the settings of some classes, in order; see `settings.settings_of`."""
    settings = [setting for group in groups for setting in settings_of(group)]
    names = {setting.name: f"--{setting.name.replace('_', '-')}" for setting in settings}
    return [_option(setting, {name: option for name, option in names.items() if name != setting.name}, names[setting.name])
            for setting in settings]


def _option(setting: Setting, others: dict[str, str], name: str) -> SectionedOption:
    about, default = setting.option, setting.default
    default = ",".join(default) if isinstance(default, tuple) and not about.is_repeated else default
    given = {"required": True} if default is dataclasses.MISSING else {"default": default}
    shown = about.default and in_options(about.default, others.get)
    option = SectionedOption([name], type=_type(setting.kind, about), is_flag=setting.kind is bool, metavar=about.metavar,
                             multiple=about.is_repeated,
                             show_default=shown or (default not in (None, ()) and setting.kind is not bool),
                             help=in_options(about.help, others.get), **given)
    option.section = about.section
    return option


def _type(kind: type, about: Option) -> click.ParamType | type:
    if about.choices:
        return click.Choice(about.choices)
    if about.is_folder:
        return click.Path(exists=True, file_okay=False)
    if kind is tuple:
        return str if about.is_repeated else Names()
    if kind is float:
        low = about.least if about.above is None else about.above
        return click.FloatRange(low, about.most, min_open=about.above is not None)
    return click.IntRange(about.least, about.most) if kind is int else kind
