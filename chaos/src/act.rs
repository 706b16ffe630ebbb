//! Carrying out what a plan says for one checkout.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use portway_ports::{Process, ProcessId};
use portway_supervisor::process::send_signal;
use rustix::process::Signal;
use serde_json::{Map, Value};

use crate::Result;
use crate::invariants::{commands, ready, settled};
use crate::look;
use crate::plan::{Action, Blow, Pause, SERVICES, Verb, Whom};
use crate::verdict::Verdict;
use crate::world::{PATIENCE, Ran, Started, World};

/// How long somebody waits for a command before they press Ctrl-C: a service that never becomes
/// ready is waited for much longer otherwise.
const IMPATIENCE: Duration = Duration::from_secs(3);

/// One checkout and what goes on there.
#[derive(Debug)]
pub(crate) struct Lane<'a> {
    pub(crate) world: &'a World,
    pub(crate) verdict: &'a Verdict,
    pub(crate) number: usize,
    /// An `up` in the foreground.
    foreground: Option<Started>,
    /// Whether a person has changed `.ports.json` since the last rest.
    pub(crate) by_hand: bool,
}

impl<'a> Lane<'a> {
    pub(crate) fn new(world: &'a World, verdict: &'a Verdict, number: usize) -> Self {
        Self {
            world,
            verdict,
            number,
            foreground: None,
            by_hand: false,
        }
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.world.lane(self.number)
    }

    fn ports_file(&self) -> PathBuf {
        self.dir().join(".ports.json")
    }

    /// Runs a command to its end, whose outcome must be one that can be explained.
    pub(crate) fn run(&self, words: &str) -> Result<Ran> {
        let ran = self.world.run(&self.dir(), words)?;
        self.judge(&ran, false);
        Ok(ran)
    }

    fn judge(&self, ran: &Ran, killed: bool) {
        self.verdict
            .note("commands end as they should", commands::judge(ran, killed));
    }

    fn start(&self, verb: Verb) -> Result<Started> {
        let words = verb.words(|index| self.world.ports.port(index));
        self.world.start(&self.dir(), &words)
    }

    fn end(&self, started: Started, killed: bool) -> Result<()> {
        self.judge(&started.end()?, killed);
        Ok(())
    }

    /// Ends a command as somebody without patience does.
    fn end_impatiently(&self, mut started: Started) -> Result<()> {
        let killed = !started.wait(IMPATIENCE);
        if killed {
            started.signal(Signal::INT);
        }
        self.end(started, killed)
    }

    fn pause(&self, verb: Verb, pause: Pause) -> Result<()> {
        let started = self.start(verb)?;
        thread::sleep(pause.after);
        started.signal(Signal::STOP);
        thread::sleep(pause.rest);
        started.signal(Signal::CONT);
        self.end_impatiently(started)
    }

    /// Carries out one action; one of many parts ends after its first part beyond `until`.
    pub(crate) fn act(&mut self, action: &Action, until: Instant) -> Result<()> {
        match action {
            Action::Run(verb) => self.end_impatiently(self.start(*verb)?)?,
            Action::Cut(verb, after) => {
                let started = self.start(*verb)?;
                thread::sleep(*after);
                started.signal(Signal::KILL);
                self.end(started, true)?;
            }
            Action::CutWrite(verb) => self.cut_write(*verb)?,
            Action::Overtake => self.overtake()?,
            Action::Pause(verb, pause) => self.pause(*verb, *pause)?,
            Action::Foreground => {
                let started = self.world.start(&self.dir(), &["up".to_owned()])?;
                if let Some(former) = self.foreground.replace(started) {
                    former.signal(Signal::INT);
                    self.end(former, true)?;
                }
            }
            Action::Signal(whom, blow) => self.hit(*whom, *blow),
            Action::KillTogether(service) => {
                let both = [
                    self.find(Whom::Keeper(*service)),
                    self.find(Whom::Supervisor),
                ];
                for process in both.into_iter().flatten() {
                    let _ = send_signal(process, Signal::KILL);
                }
            }
            Action::Mood(service, words) => {
                write_whole(&self.world.mood(self.number, *service), words.as_bytes());
            }
            Action::Tell(service, what) => self.tell(*service, what),
            Action::Force(service, index) => self.force(*service, *index),
            Action::Copy(lane) => {
                if let Ok(bytes) = fs::read(self.world.lane(*lane).join(".ports.json")) {
                    self.by_hand = true;
                    write_whole(&self.ports_file(), &bytes);
                }
            }
            Action::Vanish => self.vanish()?,
            Action::Crowd(crowd) => {
                let lane = &*self;
                thread::scope(|scope| {
                    let start = |(verb, pause): &(Verb, Option<Pause>)| {
                        let (verb, pause) = (*verb, *pause);
                        scope.spawn(move || match pause {
                            Some(pause) => lane.pause(verb, pause),
                            None => lane.end_impatiently(lane.start(verb)?),
                        })
                    };
                    let threads: Vec<_> = crowd.iter().map(start).collect();
                    threads
                        .into_iter()
                        .try_for_each(|thread| thread.join().unwrap_or_else(panicked))
                })?;
            }
            Action::Restarts(service, count) => self.restarts(*service, *count, until)?,
            Action::Rest(time) => thread::sleep(*time),
        }
        Ok(())
    }

    /// Starts a command that has to write `.ports.json` anew, and waits until it does.
    fn start_writing(&self, verb: Verb) -> Result<Started> {
        let _ = fs::remove_file(self.ports_file());
        let mut started = self.start(verb)?;
        let writes = || {
            let files = fs::read_dir(self.dir()).into_iter().flatten().flatten();
            let mut names = files.map(|file| file.file_name());
            names.any(|name| name.to_string_lossy().starts_with(".ports.json."))
        };
        while !writes() && !started.has_ended() {}
        Ok(started)
    }

    fn cut_write(&mut self, verb: Verb) -> Result<()> {
        self.by_hand = true;
        let started = self.start_writing(verb)?;
        started.signal(Signal::KILL);
        self.end(started, true)
    }

    fn overtake(&mut self) -> Result<()> {
        let read = fs::read(self.ports_file()).unwrap_or_default();
        let content: Map<String, Value> = serde_json::from_slice(&read).unwrap_or_default();
        self.end_impatiently(self.start(Verb::Down)?)?;
        let detect = self.start_writing(Verb::Detect)?;
        detect.signal(Signal::STOP);
        let ports = content.values().filter_map(Value::as_u64);
        let taken: Vec<_> = ports
            .filter_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port as u16)).ok())
            .collect();
        // It waits where the one that stands still has the registry.
        let up = self.start(Verb::Up)?;
        thread::sleep(IMPATIENCE / 3);
        detect.signal(Signal::CONT);
        self.end_impatiently(up)?;
        self.end(detect, false)?;
        drop(taken);
        // The person's deletion was before all of it.
        self.by_hand = false;
        self.look_at_file();
        Ok(())
    }

    /// A process of the instance, which must be one of this run.
    fn find(&self, whom: Whom) -> Option<ProcessId> {
        let instance = self.world.instance_now(&self.dir())?;
        let service = |index: usize| {
            let mut services = instance.services.iter();
            services
                .find(|service| service.name == SERVICES[index])?
                .pid
        };
        let pid = match whom {
            Whom::Supervisor => instance.pid?,
            Whom::Leader(index) => service(index)?,
            Whom::Keeper(index) => Process::read(service(index)?)?.parent,
        };
        let state = self.world.path("state").display().to_string();
        let own = portway_supervisor::process::env_var(pid, "XDG_STATE_HOME") == Some(state);
        Process::read(pid).filter(|_| own).map(|process| process.id)
    }

    fn hit(&self, whom: Whom, blow: Blow) {
        let Some(process) = self.find(whom) else {
            return;
        };
        let send = |signal| {
            let _ = send_signal(process, signal);
        };
        match blow {
            Blow::Kill => send(Signal::KILL),
            Blow::Term => send(Signal::TERM),
            Blow::Freeze(time) => {
                send(Signal::STOP);
                thread::sleep(time);
                send(Signal::CONT);
            }
        }
    }

    fn tell(&self, service: usize, what: &str) {
        let Some(instance) = self.world.instance_now(&self.dir()) else {
            return;
        };
        let mut services = instance.services.iter();
        let service = services.find(|one| one.name == SERVICES[service]);
        if let Some(port) = service.and_then(|service| service.ports.first()) {
            let _ = look::get(
                Ipv4Addr::LOCALHOST.into(),
                port.port,
                &format!("/do/{what}"),
            );
        }
    }

    fn force(&mut self, service: usize, index: u16) {
        let read = fs::read(self.ports_file()).unwrap_or_default();
        let Ok(mut content) = serde_json::from_slice::<Map<String, Value>>(&read) else {
            return;
        };
        let port = self.world.ports.port(index);
        if content
            .values()
            .any(|value| value.as_u64() == Some(port.into()))
        {
            return;
        }
        let name = SERVICES[service];
        content.insert(format!("{name}_port"), port.into());
        content.insert(
            format!("{name}_url"),
            format!("http://localhost:{port}").into(),
        );
        self.by_hand = true;
        write_whole(
            &self.ports_file(),
            Value::Object(content).to_string().as_bytes(),
        );
    }

    fn vanish(&mut self) -> Result<()> {
        // The main checkout has the repository of all the others.
        if self.number == 0 {
            return Ok(());
        }
        delete(&self.dir());
        let ran = self.world.run(&self.world.path(""), "prune --yes")?;
        self.judge(&ran, false);
        if let Some(foreground) = self.foreground.take() {
            foreground.signal(Signal::INT);
            let found = commands::judge_any(&foreground.end()?);
            self.verdict.note("commands end as they should", found);
        }
        delete(&self.dir());
        self.by_hand = false;
        self.world.add_worktree(self.number)
    }

    /// Restarts a service that behaves, so that there is time for many.
    fn restarts(&self, service: usize, count: usize, until: Instant) -> Result<()> {
        self.forget_moods();
        for _ in 0..count {
            if self.verdict.is_wrong() || Instant::now() > until {
                break;
            }
            let mut restart = self.start(Verb::Restart(service))?;
            let killed = !restart.wait(IMPATIENCE);
            if killed {
                restart.signal(Signal::INT);
            }
            let ran = restart.end()?;
            self.judge(&ran, killed);
            if ran.code == 0 {
                self.world.restarts.fetch_add(1, Ordering::Relaxed);
            } else {
                self.end_impatiently(self.start(Verb::Up)?)?;
            }
        }
        Ok(())
    }

    /// Every service behaves, from its next start on.
    fn forget_moods(&self) {
        for service in 0..SERVICES.len() {
            let _ = fs::remove_file(self.world.mood(self.number, service));
        }
    }

    /// Ends the `up` in the foreground, if there is one.
    pub(crate) fn end_foreground(&mut self) -> Result<()> {
        if let Some(started) = self.foreground.take() {
            started.signal(Signal::INT);
            self.end(started, true)?;
        }
        Ok(())
    }

    /// Looks at the file of an instance that runs well, when no command goes on in the checkout.
    fn look_at_file(&self) {
        let look = || {
            let instance = self.world.instance_now(&self.dir());
            instance
                .as_slice()
                .iter()
                .flat_map(|one| ready(std::slice::from_ref(one)))
                .collect::<Vec<_>>()
        };
        let before = look();
        let file = fs::read(self.ports_file()).unwrap_or_default();
        if before.len() == SERVICES.len() && before == look() {
            let found = settled::judge_file(&before, &file);
            self.verdict.note(".ports.json is right", found);
        }
    }

    /// Brings the checkout to rest: every service behaves, and `portway up` must succeed.
    pub(crate) fn rest(&mut self) -> Result<()> {
        self.forget_moods();
        if let Some(started) = &mut self.foreground
            && started.has_ended()
        {
            self.end_foreground()?;
        }
        if !self.by_hand {
            self.look_at_file();
        }
        // What misbehaves now goes on doing so until it is started anew.
        self.run(["down", "down --now"][self.number % 2])?;
        if std::mem::take(&mut self.by_hand) {
            // What a person insists on may be somebody else's; the way out is the one that the
            // error names.
            let _ = fs::remove_file(self.ports_file());
        }
        self.end_foreground()?;
        let ran = self.run("up --detach")?;
        if ran.code != 0 {
            let why = format!("cannot be started at rest: {ran:?}");
            self.verdict.note("everything recovers", Some(why));
        }
        Ok(())
    }
}

/// The error of a thread that panicked.
pub(crate) fn panicked(_: Box<dyn std::any::Any + Send>) -> Result<()> {
    Err("a thread of the run panicked".to_owned())
}

/// Replaces a file as every careful program does.
fn write_whole(file: &Path, bytes: &[u8]) {
    let new = file.with_extension("by-hand");
    let _ = fs::write(&new, bytes).and_then(|()| fs::rename(&new, file));
}

/// Deletes a directory in which others are still writing.
pub(crate) fn delete(dir: &Path) {
    let deadline = Instant::now() + PATIENCE;
    while fs::remove_dir_all(dir).is_err() && dir.exists() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(1));
    }
}
