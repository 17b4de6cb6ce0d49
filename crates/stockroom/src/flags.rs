//! Makes command line flags of the table of settings, so that no setting is described twice.
//!
//! Flags are taken as text and judged together with all other layers: a wrong flag and a wrong variable are
//! reported in one go.

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use crate::config::{Given, Origin, Reach, SETTINGS, Setting, Shape};

/// The settings that every command takes, before or after its name.
#[derive(Debug, Clone, Default)]
pub(crate) struct EverywhereFlags(pub(crate) Vec<Given>);

/// The settings of a server.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServeFlags(pub(crate) Vec<Given>);

fn settings_of(reach: Reach) -> impl Iterator<Item = (&'static Setting, &'static str)> {
    SETTINGS
        .iter()
        .filter(move |setting| setting.reach == reach)
        .filter_map(|setting| Some((setting, setting.flag?)))
}

fn add_flags(command: Command, reach: Reach) -> Command {
    command.args(settings_of(reach).map(|(setting, flag)| {
        let arg = Arg::new(setting.key)
            .long(flag)
            .help(format!("{} [default: {}]", setting.help, setting.default_words()))
            .value_name(setting.placeholder)
            .hide(setting.hidden)
            .global(reach == Reach::Everywhere)
            .help_heading(if reach == Reach::Everywhere {
                "Settings of every command"
            } else {
                "Settings of a server"
            });
        match setting.shape {
            // `--demo` turns on; `--demo=false` turns off what a file or the environment turned on.
            Shape::Switch => arg.num_args(0..=1).require_equals(true).default_missing_value("true"),
            Shape::List => arg.action(ArgAction::Append),
            Shape::One => arg,
        }
    }))
}

fn read_flags(matches: &ArgMatches, reach: Reach) -> Vec<Given> {
    settings_of(reach)
        .filter(|(setting, _)| matches.value_source(setting.key) == Some(ValueSource::CommandLine))
        .filter_map(|(setting, flag)| {
            let values: Vec<&str> = matches.get_many::<String>(setting.key)?.map(String::as_str).collect();
            Some(Given { setting, raw: values.join(","), origin: Origin::Flag(flag) })
        })
        .collect()
}

macro_rules! args_from_table {
    ($name:ident, $reach:expr) => {
        impl FromArgMatches for $name {
            fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
                Ok(Self(read_flags(matches, $reach)))
            }

            fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
                *self = Self::from_arg_matches(matches)?;
                Ok(())
            }
        }

        impl Args for $name {
            fn augment_args(command: Command) -> Command {
                add_flags(command, $reach)
            }

            fn augment_args_for_update(command: Command) -> Command {
                add_flags(command, $reach)
            }
        }
    };
}

args_from_table!(EverywhereFlags, Reach::Everywhere);
args_from_table!(ServeFlags, Reach::Serve);

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use crate::cli::Cli;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
