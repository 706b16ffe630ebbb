//! The operations of a registry: reads, and writes in one transaction under the lock.

use std::fs::OpenOptions;

use indexmap::IndexMap;
use portway_api::GatewayPorts;
use rusqlite::{OptionalExtension, TransactionBehavior};

use super::fingerprint::FILE_NAME;
use super::{SqliteRegistry, allocate, instances, prepared, rows, written};
use crate::error::{AllocateError, RegistryError};
use crate::lock;
use crate::request::{AllocatedPort, AllocationRequest, HoldFn};
use crate::{CheckoutState, Instance, Lease, Millis, NewInstance, Registry, WrittenValues};

impl Registry for SqliteRegistry {
    fn register(&mut self, new: &NewInstance, now: Millis) -> Result<Instance, RegistryError> {
        // Most commands find an unchanged record and need not write.
        let known = self.instance(&new.id)?;
        if let Some(known) = known.filter(|known| instances::is_registered(known, new)) {
            return Ok(known);
        }
        let state_dir = self.state_dir.clone();
        self.write(|transaction| instances::register(transaction, &state_dir, new, now))
    }

    fn set_options(&mut self, instance: &str, options: &[String]) -> Result<(), RegistryError> {
        let options = serde_json::to_string(options).unwrap_or_default();
        let sql = "UPDATE instances SET options = ?2 WHERE id = ?1";
        self.update_instance(sql, instance, Some(&options))
    }

    fn set_gateway(
        &mut self,
        instance: &str,
        gateway: Option<&GatewayPorts>,
    ) -> Result<(), RegistryError> {
        let gateway = gateway.and_then(|gateway| serde_json::to_string(gateway).ok());
        let sql = "UPDATE instances SET gateway = ?2 WHERE id = ?1";
        self.update_instance(sql, instance, gateway.as_deref())
    }

    fn instance(&mut self, id: &str) -> Result<Option<Instance>, RegistryError> {
        self.read(|connection| rows::instance_by_id(connection, id).optional())
    }

    fn allocate(
        &mut self,
        request: &AllocationRequest<'_>,
        hold: &mut HoldFn<'_>,
        now: Millis,
    ) -> Result<Vec<AllocatedPort>, AllocateError> {
        self.locked(|registry| {
            let dir = registry.instance_dir(request.instance);
            if !request.by_supervisor && lock::has_supervisor(&dir) {
                return Err(AllocateError::Running);
            }
            let (state_dir, file) = (&registry.state_dir, &registry.file);
            let sqlite = |error| RegistryError::sqlite(file, error);
            let transaction = registry
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)
                .map_err(sqlite)?;
            let (allocated, is_written) =
                allocate::allocate(&transaction, state_dir, file, request, hold, now)?;
            transaction.commit().map_err(sqlite)?;
            registry.needs_sync |= is_written;
            Ok(allocated)
        })
    }

    fn restore(
        &mut self,
        instance: &Instance,
        leases: &[Lease],
        now: Millis,
    ) -> Result<(), RegistryError> {
        let known = self.instance(&instance.id)?;
        let recorded = self.leases(&instance.id)?;
        let is_recorded = |lease: &Lease| {
            recorded.iter().any(|one| {
                (one.port, &one.service, &one.name) == (lease.port, &lease.service, &lease.name)
            })
        };
        if known.is_some() && leases.iter().all(is_recorded) {
            return Ok(());
        }
        let state_dir = self.state_dir.clone();
        self.write(|transaction| {
            instances::restore(transaction, &state_dir, instance, known.is_none(), now)?;
            allocate::restore(transaction, &instance.id, leases, now)
        })
    }

    fn leases(&mut self, instance: &str) -> Result<Vec<Lease>, RegistryError> {
        let mut leases = self.read(rows::leases)?;
        leases.retain(|lease| lease.instance == instance);
        Ok(leases)
    }

    fn instances(&mut self) -> Result<Vec<(Instance, Vec<Lease>, CheckoutState)>, RegistryError> {
        self.locked(|registry| {
            registry.read(|connection| instances::list(connection, &registry.state_dir))
        })
    }

    fn release(
        &mut self,
        ports: &[u16],
    ) -> Result<Vec<(Instance, Lease, CheckoutState)>, RegistryError> {
        let state_dir = self.state_dir.clone();
        let found = self.write(|transaction| instances::release(transaction, &state_dir, ports))?;
        self.sync(false)?;
        Ok(found)
    }

    fn prune(&mut self) -> Result<Vec<(Instance, Vec<Lease>)>, RegistryError> {
        let gone: Vec<(Instance, Vec<Lease>)> = self
            .instances()?
            .into_iter()
            .filter(|(.., state)| *state == CheckoutState::Missing)
            .map(|(instance, leases, _)| (instance, leases))
            .collect();
        let state_dir = self.state_dir.clone();
        self.write(|transaction| instances::remove(transaction, &state_dir, &gone))?;
        self.sync(false)?;
        Ok(gone)
    }

    fn last_written(&mut self, instance: &str) -> Result<WrittenValues, RegistryError> {
        let text = self.read(|connection| written::last(connection, instance))?;
        Ok(rows::json(text).unwrap_or_default())
    }

    fn was_written(&mut self, ports: &IndexMap<String, u16>) -> Result<bool, RegistryError> {
        let content = serde_json::to_string(ports).unwrap_or_default();
        self.read(|connection| written::is_known(connection, &content))
    }

    fn record_written(
        &mut self,
        instance: &str,
        values: &WrittenValues,
        now: Millis,
    ) -> Result<(), RegistryError> {
        let text = serde_json::to_string(values).unwrap_or_default();
        if self.read(|connection| written::last(connection, instance))? == Some(text.clone()) {
            return Ok(());
        }
        // A copy of the file is recognized by its ports.
        let content = serde_json::to_string(&values.ports()).unwrap_or_default();
        self.write(|transaction| written::record(transaction, instance, &text, &content, now))
    }

    fn sync(&mut self, others: bool) -> Result<(), RegistryError> {
        if !self.needs_sync && !others {
            return Ok(());
        }
        // Outside the lock: processes that sync at the same time wait together, and the kernel
        // writes all their commits at once. Closing the file drops no lock, because SQLite locks
        // another one.
        let log = self.state_dir.join(format!("{FILE_NAME}-wal"));
        match OpenOptions::new().write(true).open(&log) {
            Ok(open) => open
                .sync_data()
                .map_err(|error| RegistryError::io(&log, error))?,
            // SQLite keeps no log on this file system, and every commit waits for the disk itself.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(RegistryError::io(&log, error)),
        }
        self.needs_sync = false;
        Ok(())
    }

    fn prepared(
        &mut self,
        instance: &str,
        service: &str,
    ) -> Result<Option<(String, Vec<String>)>, RegistryError> {
        self.read(|connection| prepared::last(connection, instance, service))
    }

    fn forget_prepared(
        &mut self,
        instance: &str,
        services: &[String],
    ) -> Result<(), RegistryError> {
        self.write(|transaction| prepared::forget(transaction, instance, services))
    }

    fn record_prepared(
        &mut self,
        instance: &str,
        service: &str,
        digest: &str,
        outputs: &[String],
    ) -> Result<(), RegistryError> {
        self.write(|transaction| prepared::record(transaction, instance, service, digest, outputs))
    }
}
