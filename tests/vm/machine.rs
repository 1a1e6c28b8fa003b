//! The virtual machine: boots the stock kernel, runs one test of this executable in it, and says how that ended.
//!
//! Everything is emulated where the processor does not let us do better: then a boot takes some seconds, and what is inside
//! runs about ten times slower than outside.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::cpio::Archive;
use super::{kernel, programs};

/// For one test, with its boot.
pub(super) const PATIENCE: Duration = Duration::from_secs(240);

/// Set for the test inside.
const INSIDE: &str = "CHAOSRUN_INSIDE_VM";
/// What the console says before and after the test.
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
    match boot(test, PATIENCE) {
        Ok(output) => eprintln_all(&output),
        Err(error) => panic!("{error}"),
    }
}

#[expect(clippy::print_stderr, reason = "a test shows what was said inside")]
fn eprintln_all(text: &str) {
    eprintln!("{text}");
}

/// What the test said, or why it failed with all that the console showed.
pub(super) fn boot(test: &str, patience: Duration) -> Result<String, String> {
    static BUILT: OnceLock<Result<(PathBuf, Vec<u8>), String>> = OnceLock::new();
    let (image, archive) = BUILT.get_or_init(build).as_ref().map_err(Clone::clone)?;
    let files = tempfile::NamedTempFile::new_in(folder()).map_err(|e| e.to_string())?;
    fs::write(files.path(), archive).map_err(|e| e.to_string())?;
    let console = format!(
        "console={} panic=-1 quiet loglevel=3 -- {test}",
        if cfg!(target_arch = "aarch64") {
            "ttyAMA0"
        } else {
            "ttyS0"
        }
    );
    let mut machine = Command::new(QEMU)
        .args(hardware())
        .args(["-m", "768", "-nodefaults", "-no-reboot", "-display", "none"])
        .args(["-serial", "stdio", "-append", &console])
        .arg("-kernel")
        .arg(image)
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
        Some((said, "0")) if said.contains("1 passed") => Ok(said.trim().into()),
        Some((said, "0")) => Err(format!("no test ran inside the machine:\n{said}")),
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

/// The kernel's image, and the file system that it starts with.
fn build() -> Result<(PathBuf, Vec<u8>), String> {
    programs::find(QEMU)?;
    let kernel = kernel::get()?;
    let itself = std::env::current_exe().map_err(|e| e.to_string())?;
    let chaosrun = PathBuf::from(env!("CARGO_BIN_EXE_chaosrun"));
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
    archive.file(Path::new("/init"), init(&itself).as_bytes());
    let mut carried = vec![itself, chaosrun];
    for tool in ["ip", "tc", "nft"] {
        carried.push(programs::find(tool)?);
    }
    programs::add(&mut archive, &carried)?;

    Ok((kernel.image, archive.finish()))
}

/// Everything is said over the console; the machine ends when the test does.
fn init(test: &Path) -> String {
    format!(
        r#"#!/bin/busybox sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp {INSIDE}=1 RUST_BACKTRACE=0
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t tmpfs tmp /tmp
for module in /modules/*; do
    /bin/busybox insmod "$module" || echo "$module cannot be loaded"
done
ip link set lo up
echo "{BEGIN}"
"{}" --exact "$1" --nocapture --test-threads 1 2>&1
echo "{STATUS}$?"
/bin/busybox poweroff -f
"#,
        test.display()
    )
}
