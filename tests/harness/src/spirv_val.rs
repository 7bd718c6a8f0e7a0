//! Runs the SPIR-V validator where it is installed.

use pullback_base::Artifact;
use std::io::{ErrorKind, Write};
use std::process::{Command, Stdio};

/// The validator's complaint about a binary module. Without the validator: a line that says so, and no complaint.
pub fn check(artifact: &Artifact) -> Result<(), String> {
    let mut command = Command::new("spirv-val");
    command
        .args(["--target-env", "vulkan1.2", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            println!("SKIPPED-DEVICE: spirv-val is not installed");
            return Ok(());
        }
        Err(error) => return Err(error.to_string()),
    };
    if let Some(mut input) = child.stdin.take() {
        input.write_all(&artifact.bytes).map_err(|error| error.to_string())?;
    }
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr))
}
