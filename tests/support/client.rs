//! The `docker` client, with which tests on a real engine make and read back what they need; and an image for them.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Of the machine's own engine, unless there is a host.
#[derive(Default)]
pub(crate) struct Client {
    pub(crate) host: Option<String>,
}

impl Client {
    /// What `docker …` prints.
    ///
    /// # Panics
    /// With the client's own words, if it fails.
    pub(crate) fn docker<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> String {
        let args: Vec<_> = args.into_iter().collect();
        let output = self.command().args(&args).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "docker {args:?}: {said}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// The same, where failing is an answer.
    pub(crate) fn try_docker<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Option<String> {
        let output = self.command().args(args).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(text)
    }

    /// Removes everything with this label: containers, networks, volumes, and images if they are wanted gone.
    pub(crate) fn clear(&self, label: &str, images: bool) {
        let filter = format!("label={label}");
        for (list, remove) in [
            (vec!["ps", "-aq"], vec!["rm", "-fv"]),
            (vec!["network", "ls", "-q"], vec!["network", "rm"]),
            (vec!["volume", "ls", "-q"], vec!["volume", "rm", "-f"]),
            (vec!["images", "-q"], vec!["rmi", "-f"]),
        ] {
            if list[0] == "images" && !images {
                continue;
            }
            let listed = self.try_docker(list.into_iter().chain(["--filter", &filter]));
            if let Some(ids) = listed.filter(|ids| !ids.is_empty()) {
                self.try_docker(remove.into_iter().chain(ids.split_whitespace()));
            }
        }
    }

    /// An image of this name that holds nothing but busybox.
    ///
    /// # Panics
    /// Without `busybox-static`.
    pub(crate) fn import(&self, name: &str) {
        let folder = tempfile::tempdir().unwrap();
        let path = rootfs(folder.path());
        self.docker(["import", path.to_str().unwrap(), name]);
    }

    fn command(&self) -> Command {
        let mut command = Command::new("docker");
        if let Some(host) = &self.host {
            command.env("DOCKER_HOST", host);
        }
        command
    }
}

/// What the tests run inside of containers.
const APPLETS: [&str; 10] = [
    "sh", "sleep", "cat", "true", "false", "echo", "head", "httpd", "mkdir", "env",
];

fn rootfs(folder: &Path) -> PathBuf {
    let path = folder.join("rootfs.tar");
    let mut tar = tar::Builder::new(std::fs::File::create(&path).unwrap());
    let mut busybox = std::fs::File::open("/bin/busybox")
        .or_else(|_| std::fs::File::open("/usr/bin/busybox"))
        .expect("`apt-get install busybox-static`");
    tar.append_file("bin/busybox", &mut busybox).unwrap();
    for applet in APPLETS {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        tar.append_link(&mut header, format!("bin/{applet}"), "busybox")
            .unwrap();
    }
    tar.into_inner().unwrap();
    path
}
