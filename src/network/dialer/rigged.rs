//! What tests put in place of the resolver and of the roads behind it; both remember what they were asked.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Mutex;

#[derive(Default)]
pub(in crate::network) struct Rigged {
    names: Mutex<HashMap<String, VecDeque<Vec<IpAddr>>>>,
    roads: Mutex<HashMap<SocketAddr, SocketAddr>>,
    looked_up: Mutex<Vec<String>>,
    tried: Mutex<Vec<SocketAddr>>,
}

impl Rigged {
    /// A name has these addresses; where there are several answers, each look-up takes the next, and the last stays.
    pub(in crate::network) fn name(&self, host: &str, answers: &[&[IpAddr]]) {
        let answers = answers.iter().map(|addresses| addresses.to_vec()).collect();
        self.names.lock().unwrap().insert(host.to_owned(), answers);
    }

    /// A connection to `from` really goes to `to`.
    pub(in crate::network) fn road(&self, from: SocketAddr, to: SocketAddr) {
        self.roads.lock().unwrap().insert(from, to);
    }

    /// A name has a public address of its own, and what listens there is a scripted server.
    pub(super) fn pin(&self, host: &str, port: u16, to: SocketAddr) {
        let mut names = self.names.lock().unwrap();
        let next = u8::try_from(names.len() + 1).unwrap();
        let answers = names
            .entry(host.to_owned())
            .or_insert_with(|| VecDeque::from([vec![IpAddr::V4(Ipv4Addr::new(1, 2, 3, next))]]));
        let address = SocketAddr::new(answers[0][0], port);
        drop(names);
        self.road(address, to);
    }

    /// Where connections were tried.
    pub(in crate::network) fn tried(&self) -> Vec<SocketAddr> {
        self.tried.lock().unwrap().clone()
    }

    /// Which names were looked up.
    pub(in crate::network) fn looked_up(&self) -> Vec<String> {
        self.looked_up.lock().unwrap().clone()
    }

    pub(super) fn look_up(&self, host: &str, port: u16) -> Option<Vec<SocketAddr>> {
        self.looked_up.lock().unwrap().push(host.to_owned());
        let mut names = self.names.lock().unwrap();
        let answers = names.get_mut(host)?;
        let answer = if answers.len() > 1 { answers.pop_front()? } else { answers.front()?.clone() };
        Some(answer.into_iter().map(|address| SocketAddr::new(address, port)).collect())
    }

    /// Where a connection to this address goes: nowhere but along a road, unless nothing is rigged at all.
    pub(super) fn way(&self, address: SocketAddr) -> io::Result<SocketAddr> {
        self.tried.lock().unwrap().push(address);
        let roads = self.roads.lock().unwrap();
        match roads.get(&address) {
            Some(to) => Ok(*to),
            None if address.ip().is_loopback() && self.names.lock().unwrap().is_empty() => Ok(address),
            None => Err(io::ErrorKind::ConnectionRefused.into()),
        }
    }
}
