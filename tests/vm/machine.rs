//! The virtual machine: boots the stock kernel, runs tests in it, of this executable or of another, and says how that ended.
//!
//! Everything is emulated where the processor does not let us do better: then a boot takes some seconds, and what is inside
//! runs about ten times slower than outside.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::cpio::Archive;
use super::{kernel, programs};

/// For one test, with its boot.
pub(super) const PATIENCE: Duration = Duration::from_secs(240);

/// Set for the program inside.
const INSIDE: &str = "CHAOSRUN_INSIDE_VM";
/// What the console says before and after the program.
const BEGIN: &str = "chaosrun-vm begins";
const STATUS: &str = "chaosrun-vm status ";

const QEMU: &str = if cfg!(target_arch = "aarch64") {
    "qemu-system-aarch64"
} else {
    "qemu-system-x86_64"
};

pub(super) fn inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Where the kernel and the file system are kept.
pub(super) fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("vm");
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Has the test of this name pass inside.
pub(super) fn run(test: &str) {
    show(boot(test, PATIENCE));
}

/// Has the agent's tests pass inside whose names begin so.
pub(super) fn run_agents(tests: &str) {
    let said = programs::test("agent").and_then(|agents| tested(&agents, tests, PATIENCE));
    show(said);
}

fn show(outcome: Result<String, String>) {
    match outcome {
        Ok(output) => eprintln_all(&output),
        Err(error) => panic!("{error}"),
    }
}

#[expect(clippy::print_stderr, reason = "a test shows what was said inside")]
fn eprintln_all(text: &str) {
    eprintln!("{text}");
}

/// What the test of this executable said, or why it failed with all that the console showed.
pub(super) fn boot(test: &str, patience: Duration) -> Result<String, String> {
    let itself = std::env::current_exe().map_err(|e| e.to_string())?;
    tested(&itself, &format!("--exact {test}"), patience)
}

fn tested(program: &Path, tests: &str, patience: Duration) -> Result<String, String> {
    let arguments = format!("{tests} --nocapture --test-threads=1");
    let said = start(program, &arguments, patience)?;
    if said.contains(" 0 passed") {
        return Err(format!("no test ran inside the machine:\n{said}"));
    }
    Ok(said)
}

/// What a program said inside, or why it failed with all that the console showed.
pub(super) fn start(program: &Path, arguments: &str, patience: Duration) -> Result<String, String> {
    programs::find(QEMU)?;
    let kernel = kernel::get()?;
    let files = tempfile::NamedTempFile::new_in(folder()).map_err(|e| e.to_string())?;
    fs::write(files.path(), archive(&kernel, program)?).map_err(|e| e.to_string())?;
    let console = if cfg!(target_arch = "aarch64") {
        "ttyAMA0"
    } else {
        "ttyS0"
    };
    let line = format!("console={console} panic=-1 quiet loglevel=3 -- {arguments}");
    let mut machine = Command::new(QEMU)
        .args(hardware())
        .args(["-m", "768", "-nodefaults", "-no-reboot", "-display", "none"])
        .args(["-serial", "stdio", "-append", &line])
        .arg("-kernel")
        .arg(&kernel.image)
        .arg("-initrd")
        .arg(files.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| format!("{QEMU}: {e}; `tests/all` installs it"))?;
    let (shown, in_time) = watch(&mut machine, patience);
    judge(&shown, in_time, patience)
}

fn judge(shown: &str, in_time: bool, patience: Duration) -> Result<String, String> {
    let said = shown.split_once(BEGIN).map_or(shown, |(_, said)| said);
    let status = said
        .split_once(STATUS)
        .and_then(|(said, status)| Some((said, status.split_whitespace().next()?)));
    match status {
        Some((said, "0")) => Ok(said.trim().into()),
        Some((said, status)) => Err(format!("the test ended with status {status}:\n{said}")),
        None if in_time => Err(format!("the machine ended by itself:\n{shown}")),
        None => {
            let seconds = patience.as_secs();
            Err(format!(
                "the machine was switched off after {seconds} s:\n{shown}"
            ))
        }
    }
}

/// The processor's own means where it has them. A device file alone says nothing: it may be there and lead nowhere.
fn hardware() -> Vec<&'static str> {
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let has = |word| processor.split_whitespace().any(|flag| flag == word);
    let virtual_here = (has("vmx") || has("svm")) && fs::File::open("/dev/kvm").is_ok();
    let accelerator = if virtual_here { "kvm" } else { "tcg" };
    if cfg!(target_arch = "aarch64") {
        vec!["-machine", "virt", "-cpu", "max", "-accel", accelerator]
    } else {
        vec!["-accel", accelerator]
    }
}

/// All that it shows until it ends, or until it is made to.
#[expect(clippy::disallowed_methods, reason = "no run is here to have a clock")]
fn watch(machine: &mut Child, patience: Duration) -> (String, bool) {
    let mut console = machine.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut shown = Vec::new();
        console.read_to_end(&mut shown).unwrap();
        String::from_utf8_lossy(&shown).replace('\r', "")
    });
    let end = Instant::now() + patience;
    let mut in_time = true;
    while machine.try_wait().unwrap().is_none() {
        if in_time && Instant::now() > end {
            in_time = false;
            machine.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    (reader.join().unwrap(), in_time)
}

/// The file system that the kernel starts with.
fn archive(kernel: &kernel::Kernel, program: &Path) -> Result<Vec<u8>, String> {
    let busybox = fs::read(programs::find("busybox")?).map_err(|e| e.to_string())?;
    let mut archive = Archive::default();
    for folder in ["/proc", "/sys", "/dev", "/tmp", "/run/netns", "/modules"] {
        archive.folder(Path::new(folder));
    }
    archive.device(Path::new("/dev/console"), 5, 1);
    archive.file(Path::new("/bin/busybox"), &busybox);
    for (at, module) in kernel.modules.iter().enumerate() {
        let path = format!("/modules/{at:03}-{}.ko", module.name);
        archive.file(Path::new(&path), &module.content);
    }
    archive.file(Path::new("/init"), init(program).as_bytes());
    let mut carried = vec![
        program.to_path_buf(),
        PathBuf::from(env!("CARGO_BIN_EXE_chaosrun")),
    ];
    for tool in ["ip", "tc", "nft"] {
        carried.push(programs::find(tool)?);
    }
    programs::add(&mut archive, &carried)?;
    Ok(archive.finish())
}

/// Everything is said over the console; the machine ends when the program does.
fn init(program: &Path) -> String {
    format!(
        r#"#!/bin/busybox sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp {INSIDE}=1 RUST_BACKTRACE=0
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
for module in /modules/*; do
    /bin/busybox insmod "$module" || echo "$module cannot be loaded"
done
ip link set lo up
echo "{BEGIN}"
"{}" "$@" 2>&1
echo "{STATUS}$?"
/bin/busybox poweroff -f
"#,
        program.display()
    )
}
