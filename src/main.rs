//! The program `mailkeep`: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(mailkeep::cli::run())
}
