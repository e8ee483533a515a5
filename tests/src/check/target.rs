//! What is checked: a command, an address, or one of the kit's own stages.

use super::Protocol;
use crate::process::{self, Server};
use crate::stage::Stage;
use std::net::{SocketAddr, TcpListener};
use std::process::Command;

#[derive(Debug, Clone)]
pub enum Target {
    /// Anybody's program. `{host}`, `{port}` and `{flags}` are replaced; HOST and PORT are set.
    Command(Vec<String>),
    /// A server that runs already.
    Address(SocketAddr),
    /// The kit's own server.
    Stage(u8),
}

/// How many free ports are tried until the program gets one.
const PORTS_TRIED: usize = 5;

/// How to start a server.
#[derive(Debug, Default, Clone, Copy)]
pub struct StartOptions<'a> {
    /// Flags of stage 5's server (rule S5.9). A command gets them where it says `{flags}`.
    pub arguments: &'a [&'a str],
    /// How many descriptors it may have (Unix).
    pub descriptors: Option<u32>,
    /// A port to use instead of a free one.
    pub port: Option<u16>,
    /// Variables that are set for it.
    pub environment: &'a [(&'a str, &'a str)],
}

impl Target {
    pub fn has_process(&self) -> bool {
        !matches!(self, Target::Address(_))
    }

    /// Whether a server can be told its limits.
    pub fn takes_flags(&self) -> bool {
        match self {
            Target::Stage(_) => true,
            Target::Command(words) => words.iter().any(|word| word.contains(FLAGS)),
            Target::Address(_) => false,
        }
    }

    /// Starts a server of its own, or gives the one that runs.
    pub fn start_server(&self, options: StartOptions) -> anyhow::Result<Server> {
        match self {
            Target::Address(address) => Ok(Server { address: *address, process: None }),
            Target::Stage(_) => {
                let command = self.server_command(options, options.port.unwrap_or(0))?;
                Server::start("server", command)
            }
            Target::Command(_) => match options.port {
                Some(port) => self.start_on(port, options),
                None => self.start_on_a_free_port(options),
            },
        }
    }

    fn start_on(&self, port: u16, options: StartOptions) -> anyhow::Result<Server> {
        Server::start_on_port("server", self.server_command(options, port)?, port)
    }

    /// Between the moment in which a port is free and the one in which the program takes it,
    /// somebody else may have taken it: then with another one.
    fn start_on_a_free_port(&self, options: StartOptions) -> anyhow::Result<Server> {
        for _ in 0..PORTS_TRIED {
            let port = process::free_port()?;
            let started = self.start_on(port, options);
            match &started {
                Err(error) if was_taken(port, &format!("{error:#}")) => {}
                _ => return started,
            }
        }
        anyhow::bail!("each of {PORTS_TRIED} free ports was taken by somebody else")
    }

    /// The command that starts a server on `port`.
    pub fn server_command(&self, options: StartOptions, port: u16) -> anyhow::Result<Command> {
        let words = match self {
            Target::Stage(number) => {
                let program = Stage::by_number(*number)?.program()?.display().to_string();
                let mut words =
                    vec![program, "server".to_string(), "127.0.0.1".to_string(), port.to_string()];
                words.extend(options.arguments.iter().map(|word| word.to_string()));
                words
            }
            Target::Command(words) => filled_in(words, port, options.arguments),
            Target::Address(_) => anyhow::bail!("there is no command, only an address"),
        };
        let mut command = limited(&words, options.descriptors);
        command.env("HOST", "127.0.0.1").env("PORT", port.to_string());
        command.envs(options.environment.iter().copied());
        Ok(command)
    }

    /// The command that starts the student's client for a server on `port`; for a stage, its client.
    pub fn client_command(&self, port: u16) -> anyhow::Result<Command> {
        match self {
            Target::Stage(number) => {
                let mut command = Command::new(Stage::by_number(*number)?.program()?);
                command.args(["client", "127.0.0.1", &port.to_string()]);
                Ok(command)
            }
            Target::Command(words) => {
                let mut command = limited(&filled_in(words, port, &[]), None);
                command.env("HOST", "127.0.0.1").env("PORT", port.to_string());
                Ok(command)
            }
            Target::Address(_) => anyhow::bail!("a client is checked by its command"),
        }
    }

    /// As it is typed behind `lab check EXERCISE`.
    pub fn arguments(&self) -> String {
        match self {
            Target::Stage(number) => format!("--stage {number}"),
            Target::Address(address) => format!("--address {address}"),
            Target::Command(words) => {
                let words = words.iter().map(String::as_str);
                let line = shlex::try_join(words).unwrap_or_default();
                // No shell touches these, so they need no quotes.
                let line = line.replace("'{host}'", "{host}").replace("'{port}'", "{port}");
                let line = line.replace("'{flags}'", FLAGS);
                format!("-- {line}")
            }
        }
    }

    /// The protocol that a target speaks by itself.
    pub fn protocol(&self) -> Option<Protocol> {
        match self {
            Target::Stage(number) => Some(Protocol::of_stage(*number)),
            _ => None,
        }
    }
}

/// Whether that is why a program did not start. By now the port may be free again: then its own
/// words tell, in the names that the systems have for it.
fn was_taken(port: u16, said: &str) -> bool {
    let said = said.to_ascii_lowercase();
    let in_use = ["in use", "eaddrinuse", "only one usage of each socket address"];
    in_use.iter().any(|words| said.contains(words))
        || TcpListener::bind(("127.0.0.1", port)).is_err()
}

/// What is replaced by the flags of stage 5's server.
const FLAGS: &str = "{flags}";

fn filled_in(words: &[String], port: u16, flags: &[&str]) -> Vec<String> {
    let port = port.to_string();
    let mut filled = Vec::new();
    for word in words {
        if word == FLAGS {
            filled.extend(flags.iter().map(|flag| flag.to_string()));
            continue;
        }
        let word = word.replace("{host}", "127.0.0.1").replace("{port}", &port);
        filled.push(word.replace(FLAGS, &flags.join(" "))); // within the words of a shell, say
    }
    filled
}

/// The command, on Unix by way of a shell that lowers the limit of descriptors first.
fn limited(words: &[String], descriptors: Option<u32>) -> Command {
    let mut command;
    match descriptors {
        Some(count) if cfg!(unix) => {
            command = Command::new("sh");
            command.arg("-c").arg(format!("ulimit -n {count}; exec \"$0\" \"$@\"")).args(words);
        }
        _ => {
            command = Command::new(&words[0]);
            command.args(&words[1..]);
        }
    }
    command
}
