//! Text of `--help` and the manual beyond the flags: examples that tests run, exit codes, variables and files.

use clap::Command;

use super::exit::Exit;

/// More about one command.
pub(super) struct More {
    pub(super) command: &'static str,
    /// Purpose of each example, and the command to type.
    pub(super) examples: &'static [(&'static str, &'static str)],
    pub(super) exits: &'static [u8],
}

/// In the order of the commands.
pub(super) const MORE: [More; 29] = [
    More {
        command: "validate",
        examples: &[
            ("Check every plan in a folder", "redrill validate plans/"),
            (
                "Annotate a pull request",
                "redrill validate plans/quickstart.yaml --format github",
            ),
        ],
        exits: &[0, 1, 4, 64],
    },
    More {
        command: "render",
        examples: &[(
            "Print the request of one restore for the AWS CLI",
            "redrill render plans/quickstart.yaml --only=orders --format cli-json",
        )],
        exits: &[0, 1, 4, 64],
    },
    More {
        command: "plan",
        examples: &[
            (
                "Compare with what was backed up, without asking AWS",
                "redrill plan plans/tables.yaml --inventory inventories/tables.yaml",
            ),
            (
                "Save a plan, to run exactly what was reviewed",
                "redrill plan plans/quickstart.yaml -o quickstart.plan",
            ),
        ],
        exits: &[0, 1, 2, 4, 7, 64],
    },
    More {
        command: "preflight",
        examples: &[
            (
                "See what would fail, and what to do",
                "redrill preflight plans/quickstart.yaml",
            ),
            (
                "A comment on a pull request",
                "redrill preflight plans/quickstart.yaml --format markdown",
            ),
        ],
        exits: &[0, 1, 4, 8, 64],
    },
    More {
        command: "forecast",
        examples: &[
            (
                "How long, and how likely the objectives are met",
                "redrill forecast plans/tables.yaml --inventory inventories/tables.yaml",
            ),
            (
                "What more at once would gain",
                "redrill forecast plans/tables.yaml --inventory inventories/tables.yaml --what-if limits.concurrent=100",
            ),
            (
                "How often such forecasts were right",
                "redrill forecast backtest",
            ),
        ],
        exits: &[0, 1, 4, 64],
    },
    More {
        command: "history",
        examples: &[(
            "Give the history to another machine, without names",
            "redrill history export",
        )],
        exits: &[0, 1, 64],
    },
    More {
        command: "lock",
        examples: &[(
            "Pin the recovery points that selectors choose",
            "redrill lock plans/tables.yaml --inventory inventories/tables.yaml",
        )],
        exits: &[0, 1, 4, 64],
    },
    More {
        command: "run",
        examples: &[
            (
                "Show the plan, ask, and start",
                "redrill run plans/drill.yaml",
            ),
            (
                "A drill of its own, with a report",
                "redrill run plans/drill.yaml --run-id 2026-Q4 --report html=drill.html",
            ),
            (
                "Try again what has failed",
                "redrill run plans/drill.yaml --retry-failed",
            ),
        ],
        exits: &[0, 1, 4, 5, 6, 7, 8, 10, 64, 130, 143],
    },
    More {
        command: "status",
        examples: &[
            ("Where every run stands", "redrill status"),
            ("One plan, by its file or its name", "redrill status drill"),
        ],
        exits: &[0, 1, 4, 64],
    },
    More {
        command: "report",
        examples: &[(
            "Write the report of a run again",
            "redrill report plans/drill.yaml --report html=drill.html",
        )],
        exits: &[0, 1, 4, 64],
    },
    More {
        command: "cleanup",
        examples: &[
            (
                "See what a run has created",
                "redrill cleanup plans/drill.yaml --dry-run",
            ),
            ("Delete it, and verify", "redrill cleanup plans/drill.yaml"),
        ],
        exits: &[0, 1, 4, 5, 10, 64, 130, 143],
    },
    More {
        command: "prove",
        examples: &[(
            "Write down what a run has proven",
            "redrill prove plans/drill.yaml --run-id 2026-Q4",
        )],
        exits: &[0, 1, 4, 6, 8, 64],
    },
    More {
        command: "coverage",
        examples: &[
            (
                "What is not proven, of what an inventory has",
                "redrill coverage --inventory inventories/mixed.yaml",
            ),
            (
                "A page for whoever wants one number",
                "redrill coverage --inventory inventories/mixed.yaml --format html > coverage.html",
            ),
            ("Which drills are due", "redrill coverage --due"),
        ],
        exits: &[0, 1, 6, 8, 64],
    },
    More {
        command: "evidence",
        examples: &[
            (
                "Bundle a run for an auditor",
                "redrill evidence plans/drill.yaml -o drill.zip",
            ),
            (
                "Check a bundle offline",
                "redrill evidence verify drill.zip",
            ),
        ],
        exits: &[0, 1, 4, 6, 8, 64],
    },
    More {
        command: "iam",
        examples: &[
            (
                "What you need for a run, and what its restore roles need",
                "redrill iam plans/drill.yaml --for run,restore-role",
            ),
            (
                "The same for Terraform",
                "redrill iam plans/drill.yaml --format terraform",
            ),
        ],
        exits: &[0, 1, 4, 64],
    },
    More {
        command: "rehearse",
        examples: &[
            (
                "Run a plan, with nothing at AWS",
                "redrill rehearse plans/quickstart.yaml",
            ),
            (
                "See what happens when AWS throttles",
                "redrill rehearse plans/quickstart.yaml --fault throttle,times=2",
            ),
            (
                "Rehearse an interruption: press Ctrl-C, and type it again",
                "redrill rehearse plans/quickstart.yaml --state rehearsals --speed 600",
            ),
        ],
        exits: &[0, 1, 4, 5, 6, 7, 10, 64, 130, 143],
    },
    More {
        command: "emulator",
        examples: &[(
            "Serve AWS Backup on a fixed port",
            "redrill emulator --listen 127.0.0.1:4520",
        )],
        exits: &[0, 1, 64],
    },
    More {
        command: "inventory",
        examples: &[(
            "Record one vault of a Region",
            "redrill inventory --region us-east-1 --vault primary -o inventory.yaml",
        )],
        exits: &[0, 1, 64],
    },
    More {
        command: "init",
        examples: &[(
            "Write a first plan from an inventory",
            "redrill init --inventory inventories/mixed.yaml -o plan.yaml",
        )],
        exits: &[0, 1, 64],
    },
    More {
        command: "export",
        examples: &[
            (
                "Write a kit for the AWS CLI and paper",
                "redrill export kit plans/quickstart.yaml -o kit",
            ),
            (
                "For AWS Step Functions, without asking AWS",
                "redrill export step-functions plans/tables.yaml --inventory inventories/tables.yaml --bucket dr-runs -o tables",
            ),
            (
                "In CI: is the kit still what the plan means?",
                "redrill export kit plans/quickstart.yaml --check kit",
            ),
        ],
        exits: &[0, 1, 2, 4, 64],
    },
    More {
        command: "explain",
        examples: &[
            ("What AWS asks of a type", "redrill explain EFS"),
            ("One key of it", "redrill explain EFS.KmsKeyId"),
            ("What a finding means", "redrill explain plan/type"),
            (
                "All documentation, offline",
                "redrill explain --all > redrill.md",
            ),
        ],
        exits: &[0, 64],
    },
    More {
        command: "schema",
        examples: &[("For your editor", "redrill schema plan")],
        exits: &[0, 64],
    },
    More {
        command: "config",
        examples: &[("What holds, and from where", "redrill config")],
        exits: &[0, 64],
    },
    More {
        command: "runs",
        examples: &[("Every run that is known here", "redrill runs")],
        exits: &[0, 1, 64],
    },
    More {
        command: "state",
        examples: &[
            ("See whether every run can be read", "redrill state check"),
            (
                "Move a run to where others can continue it",
                "redrill state copy .redrill copied",
            ),
        ],
        exits: &[0, 1, 4, 6, 10, 64],
    },
    More {
        command: "completions",
        examples: &[(
            "For bash, in ~/.bashrc",
            "source <(redrill completions bash)",
        )],
        exits: &[0, 64],
    },
    More {
        command: "man",
        examples: &[("Read the manual of a command", "redrill man run | man -l -")],
        exits: &[0, 64],
    },
    More {
        command: "licenses",
        examples: &[("All licences", "redrill licenses")],
        exits: &[0],
    },
    More {
        command: "help",
        examples: &[
            ("A command", "redrill help run"),
            ("A key of the plan", "redrill help objectives"),
        ],
        exits: &[0, 64],
    },
];

/// Variables, and what each is for.
pub(super) const VARIABLES: [(&str, &str); 6] = [
    (
        "REDRILL_<FLAG>",
        "A value for any flag: REDRILL_STATE for --state. Lists are separated by commas. What is typed is stronger; \
         redrill.toml is weaker",
    ),
    ("REDRILL_VAR_<NAME>", "A variable of the plan"),
    (
        "AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL_BACKUP, …",
        "As for every tool that uses an AWS SDK",
    ),
    (
        "NO_COLOR, FORCE_COLOR, CLICOLOR_FORCE",
        "No colours; colours everywhere",
    ),
    (
        "CI, TERM=dumb",
        "Progress is printed as lines, even on a terminal",
    ),
    ("TZ", "The time zone of times on the screen"),
];

/// Files, and what each is for.
pub(super) const FILES: [(&str, &str); 3] = [
    (
        "redrill.toml",
        "Settings, found from the folder of the plan upward. `redrill config` shows what holds and from where",
    ),
    (
        ".redrill/",
        "The journals of runs, found in the same way. Keep it: without it, a run is found again only by its marks at AWS",
    ),
    (
        "<plan>.lock.yaml",
        "The recovery points that `redrill lock` has pinned, next to the plan",
    ),
];

/// Commands of other tools, and the command that is meant.
const POINTERS: [(&[&str], &str); 11] = [
    (
        &["apply", "start", "restore", "up", "exec", "execute"],
        "run",
    ),
    (&["list", "ls", "history", "ps"], "runs"),
    (&["destroy", "delete", "rm", "down", "clean"], "cleanup"),
    (&["diff", "dry-run", "preview"], "plan"),
    (&["test", "simulate", "drill", "try"], "rehearse"),
    (&["check", "lint"], "validate"),
    (&["new", "create", "generate", "import"], "init"),
    (&["show", "describe", "get", "watch"], "status"),
    (&["resume", "continue", "retry"], "run"),
    (&["doc", "docs", "why"], "explain"),
    (&["settings", "env"], "config"),
];

/// The command that somebody meant.
pub(super) fn pointer(typed: &str) -> Option<&'static str> {
    let typed = typed.to_lowercase();
    let mut all = POINTERS.iter();
    all.find(|(names, _)| names.contains(&typed.as_str()))
        .map(|(_, command)| *command)
}

pub(super) fn more(command: &str) -> Option<&'static More> {
    MORE.iter().find(|more| more.command == command)
}

fn meaning(code: u8) -> &'static str {
    let all = Exit::ALL.iter().find(|(_, of, _)| *of == code);
    all.map_or("", |(.., meaning)| meaning)
}

impl More {
    /// The codes that the command ends with, each with its meaning.
    pub(super) fn exits(&self) -> impl Iterator<Item = (u8, &'static str)> {
        self.exits.iter().map(|code| (*code, meaning(*code)))
    }

    /// Returns the text of `--help` below the flags.
    fn text(&self) -> String {
        let mut text = String::from("Examples:\n");
        for (what, command) in self.examples {
            text.push_str(&format!("  {what}:\n    $ {command}\n"));
        }
        text.push_str("\nExit codes:\n");
        for (code, meaning) in self.exits() {
            text.push_str(&format!("  {code:>3}  {meaning}\n"));
        }
        text.push_str(
            "\nEvery flag can be set as REDRILL_<FLAG>, or in redrill.toml; `redrill config` shows what holds.\n",
        );
        text
    }
}

/// Adds what `--help` says below the flags, and `--json` beside `--format json`.
pub(super) fn extended(mut command: Command) -> Command {
    for more in &MORE {
        if command.find_subcommand(more.command).is_some() {
            command = command.mut_subcommand(more.command, |sub| {
                let has_json = sub.get_arguments().any(|arg| {
                    let values = arg.get_possible_values();
                    arg.get_id() == "format"
                        && values.iter().any(|value| value.get_name() == "json")
                });
                let sub = match has_json {
                    true => sub.arg(
                        clap::Arg::new("json")
                            .long("json")
                            .action(clap::ArgAction::SetTrue)
                            .conflicts_with("format")
                            .help_heading("Output")
                            .help("Same as --format json"),
                    ),
                    false => sub,
                };
                // `--no-lock` means nothing to commands that make the lock file, or read none.
                let sub = match sub.get_name() {
                    "lock" | "cleanup" => sub.mut_arg("no_lock", |arg| arg.hide(true)),
                    _ => sub,
                };
                sub.after_long_help(more.text())
            });
        }
    }
    command
}
