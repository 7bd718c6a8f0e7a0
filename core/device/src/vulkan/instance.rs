//! The loader and the instance, with the validation layer when it is asked for.

use super::validation::{self, Validation};
use crate::DeviceError;
use ash::{ext, khr, vk};

pub const INSTALL: &str =
    "install a Vulkan driver (Debian, Ubuntu: apt-get install mesa-vulkan-drivers libvulkan1)";

/// Opens the Vulkan loader library.
pub fn load_entry() -> Result<ash::Entry, DeviceError> {
    // SAFETY: the loader's initialization routines are those of the system's own library.
    unsafe { ash::Entry::load() }.map_err(|error| no_loader(&error))
}

/// Opens a loader library at a given path.
#[cfg(test)]
pub fn load_entry_from(path: &str) -> Result<ash::Entry, DeviceError> {
    // SAFETY: as for `load_entry`; tests name a path where no library is.
    unsafe { ash::Entry::load_from(path) }.map_err(|error| no_loader(&error))
}

fn no_loader(error: &ash::LoadingError) -> DeviceError {
    DeviceError::NoDriver {
        driver: "Vulkan",
        reason: format!("the loader library does not load ({error})"),
        help: INSTALL.to_owned(),
    }
}

/// The error for an instance that cannot be made or asked.
pub fn no_instance(result: vk::Result) -> DeviceError {
    let reason = match result {
        vk::Result::ERROR_INCOMPATIBLE_DRIVER => "the loader finds no driver".to_owned(),
        other => format!("creating an instance failed: {other}"),
    };
    DeviceError::NoDriver { driver: "Vulkan", reason, help: INSTALL.to_owned() }
}

/// A Vulkan instance. Fields are dropped in order: the loader library last.
pub struct Instance {
    pub handle: ash::Instance,
    pub validation: Option<Validation>,
    _entry: ash::Entry,
}

impl Instance {
    pub fn new(entry: ash::Entry, validate: bool) -> Result<Self, DeviceError> {
        let validate = validate && validation::installed(&entry);
        let handle = create(&entry, validate).map_err(no_instance)?;
        let mut instance = Instance { handle, validation: None, _entry: entry };
        if validate {
            let validation = Validation::new(&instance._entry, &instance.handle).map_err(no_instance)?;
            instance.validation = Some(validation);
        }
        Ok(instance)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // SAFETY: the logical device, if one was made, is destroyed; the messenger goes first.
        unsafe {
            if let Some(validation) = &self.validation {
                validation.destroy();
            }
            self.handle.destroy_instance(None);
        }
    }
}

fn create(entry: &ash::Entry, validate: bool) -> Result<ash::Instance, vk::Result> {
    // SAFETY: `entry` is a loaded loader.
    let available = unsafe { entry.enumerate_instance_extension_properties(None) }?;
    let portable =
        available.iter().any(|have| have.extension_name_as_c_str() == Ok(khr::portability_enumeration::NAME));
    let mut extensions = Vec::new();
    let mut layers = Vec::new();
    let mut flags = vk::InstanceCreateFlags::empty();
    if validate {
        layers.push(validation::LAYER.as_ptr());
        extensions.push(ext::debug_utils::NAME.as_ptr());
    }
    if portable {
        extensions.push(khr::portability_enumeration::NAME.as_ptr());
        flags |= vk::InstanceCreateFlags::ENUMERATE_PORTABILITY_KHR;
    }
    let application =
        vk::ApplicationInfo::default().application_name(c"pullback").api_version(vk::API_VERSION_1_2);
    let create = vk::InstanceCreateInfo::default()
        .application_info(&application)
        .enabled_layer_names(&layers)
        .enabled_extension_names(&extensions)
        .flags(flags);
    // SAFETY: layers and extensions were checked to be there; debug_utils comes with the layer.
    unsafe { entry.create_instance(&create, None) }
}
