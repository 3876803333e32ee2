"""What the program does for itself: `help`, `connect`, `echo`, `cd`, `pwd`, `quit`, and the completion."""

from __future__ import annotations

import os

from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import Command, Option, alias, flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments


def run_help(context: Context, args: Arguments) -> None:
    """Print the help for all commands, one group or one command."""
    from guesthouse.cli import helptext, registry

    ours = context.ours
    name = str(args.values.get("command", ""))
    if not name:
        context.print(helptext.overview(ours=ours))
        return
    record = registry.find(name, ours=ours)
    if record is not None:
        context.print(helptext.command(record, ours=ours))
        return
    for keyword, title in registry.GROUPS:
        if name in (keyword, title) and registry.visible(keyword, ours=ours):
            context.print(helptext.group(keyword, title, ours=ours))
            return
    raise CommandError(f"command or command group '{name}' doesn't exist")


def run_connect(context: Context, args: Arguments) -> None:
    """Connect to another daemon, or to the same one again."""
    name = args.text("name")
    readonly = args.has("readonly") or (name is None and context.readonly)
    context.connect(context.uri if name is None else name, readonly=readonly, quietly=True)


def run_echo(context: Context, args: Arguments) -> None:
    """Print the words, quoted as asked."""
    args.exclusive("shell", "xml", "split")
    quote = _split if args.has("split") else _xml if args.has("xml") else _shell if args.has("shell") else str
    words = [quote(word) for word in args.words("string")]
    prefix = args.text("prefix")
    text = " ".join([prefix, *words] if prefix else words).rstrip(" ")
    if not text and not words:
        return
    if args.has("err"):
        context.error(text)
    else:
        context.print(text)


def _shell(word: str) -> str:
    plain = word and not any(char in "\t\n !\"#$&'()*;<>?[\\]^`{|}~" for char in word)
    return word if plain else "'" + word.replace("'", "'\\''") + "'"


def _xml(word: str) -> str:
    for char, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&apos;")):
        word = word.replace(char, entity)
    return word


def _split(word: str) -> str:
    """One line a part; two commas stand for one."""
    parts = word.replace(",,", "\0").split(",")
    return "".join(part.replace("\0", ",") + "\n" for part in parts)


def run_cd(context: Context, args: Arguments) -> None:
    """Change the directory that file names start from."""
    directory = str(args.values.get("dir", "")) or os.path.expanduser("~")
    try:
        os.chdir(directory)
    except OSError as error:
        raise CommandError(f"cd: {error.strerror}: {directory}") from None


def run_pwd(context: Context, args: Arguments) -> None:
    """Print that directory."""
    context.print(f"{os.getcwd()}\n")


def run_quit(context: Context, args: Arguments) -> None:
    """Leave."""
    context.leaving = True


def run_complete(context: Context, args: Arguments) -> None:
    """Print what the last of the words can become, one candidate a line. Says nothing about failures."""
    from guesthouse.cli.completion import candidates
    from guesthouse.cli.settings import parse

    words = args.words("string")
    begun = words.pop() if words else ""
    context.silent = True
    try:
        settings, words = parse([context.settings.program, *words], context.settings.environment)
    except CommandError:
        return
    if settings.uri_given:
        context.uri = settings.uri
    context.settings.quiet = True
    for candidate in candidates(context, words, begun):
        context.print(candidate + "\n")


def run_completion(context: Context, args: Arguments) -> None:
    """Print the script that makes a shell complete our command lines."""
    shell = args.need("shell")
    script = SCRIPTS.get(shell)
    if script is None:
        raise CommandError(f"no completion for '{shell}'; there is one for {', '.join(sorted(SCRIPTS))}")
    context.print(script)


# The line is cut at blanks anew: bash itself also cuts at the colons and equal signs of connection URIs.
BASH = """\
_guest() {
    local IFS=$' \\t\\n' line=${COMP_LINE:0:COMP_POINT} at
    local -a words
    read -ra words <<< "$line"
    [[ $line == *' ' ]] && words+=("")
    IFS=$'\\n'
    COMPREPLY=($("${words[0]}" __complete -- "${words[@]:1}" 2>/dev/null))
    for at in "${!COMPREPLY[@]}"; do
        COMPREPLY[at]=$(printf %q "${COMPREPLY[at]}")
    done
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == */ ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
complete -F _guest guest
"""

ZSH = """\
#compdef guest
_guest() {
    local -a found
    found=("${(@f)$("${words[1]}" __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    compadd -a found
}
compdef _guest guest
"""

FISH = """\
function __guest_complete
    set -l words (commandline -opc) (commandline -ct)
    $words[1] __complete -- $words[2..-1] 2>/dev/null
end
complete -c guest -f -a '(__guest_complete)'
"""

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}

PARTIAL = Option("string", "argv", "the words of the line; the last is completed", positional=True, empty=True)

COMMANDS = (
    Command(
        "cd",
        "virsh",
        "change the directory",
        run_cd,
        (Option("dir", "string", "the new one (else the home directory)", positional=True, complete="file"),),
        description="Change the directory that file names start from.",
        connect=False,
    ),
    Command(
        "echo",
        "virsh",
        "print words",
        run_echo,
        (
            flag("shell", "quote for a shell"),
            flag("xml", "quote for XML"),
            flag("split", "one line for each part between commas; two commas stand for one"),
            flag("err", "print as an error"),
            alias("str", "string"),
            alias("hi", "string=hello"),
            Option("prefix", "string", "a word to begin with"),
            Option("string", "argv", "the words", positional=True),
        ),
        description="Print the words again, quoted if so wished.",
        connect=False,
    ),
    Command("exit", "virsh", "leave the shell", run_quit, connect=False),
    Command(
        "help",
        "virsh",
        "print help",
        run_help,
        (Option("command", "string", "a command, or the keyword of a group", positional=True, complete="command"),),
        description="Print help for everything, one group or one command.",
        connect=False,
    ),
    Command("pwd", "virsh", "print the directory", run_pwd, connect=False),
    Command("quit", "virsh", "leave the shell", run_quit, connect=False),
    Command(
        "connect",
        "virsh",
        "connect to a daemon",
        run_connect,
        (
            Option("name", "string", "the connection URI (else the present one again)", positional=True, empty=True),
            flag("readonly", "so that nothing can be changed"),
        ),
        description="Connect to a daemon; the shell does so by itself when it starts.",
        connect=False,
    ),
    Command("complete", "virsh", "complete a line", run_complete, (PARTIAL,), connect=False, hidden=True),
    Command("__complete", "guest", "complete a line", run_complete, (PARTIAL,), connect=False, hidden=True, ours=True),
    Command(
        "completion",
        "guest",
        "print the completion script of a shell",
        run_completion,
        (
            Option(
                "shell",
                "string",
                "bash, zsh or fish",
                required=True,
                positional=True,
                complete="bash zsh fish",
            ),
        ),
        description='Print a script for a shell; for bash: eval "$(guest completion bash)".',
        connect=False,
        ours=True,
    ),
)
