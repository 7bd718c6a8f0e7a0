//! Collects what the validation layer reports, so that an error fails the call that caused it.

use crate::DeviceError;
use ash::{ext, vk};
use parking_lot::Mutex;
use std::ffi::{CStr, c_void};
use std::sync::Once;

pub const LAYER: &CStr = c"VK_LAYER_KHRONOS_validation";

/// Whether `PULLBACK_VULKAN_VALIDATION=1` asks for the layer.
pub fn wanted() -> bool {
    std::env::var_os("PULLBACK_VULKAN_VALIDATION").is_some_and(|value| value == "1")
}

/// Whether the layer is installed; says once on stderr when it is not.
pub fn installed(entry: &ash::Entry) -> bool {
    static MISSING: Once = Once::new();
    // SAFETY: `entry` is a loaded loader.
    let layers = unsafe { entry.enumerate_instance_layer_properties() }.unwrap_or_default();
    let found = layers.iter().any(|layer| layer.layer_name_as_c_str() == Ok(LAYER));
    if !found {
        MISSING.call_once(|| {
            eprintln!(
                "Vulkan validation is asked for, but the layer is not installed \
                 (apt-get install vulkan-validationlayers): running without it"
            );
        });
    }
    found
}

type Messages = Mutex<Vec<String>>;

/// A debug messenger and the errors it has collected.
pub struct Validation {
    instance: ext::debug_utils::Instance,
    messenger: vk::DebugUtilsMessengerEXT,
    // Boxed: the driver keeps the address.
    messages: Box<Messages>,
}

impl Validation {
    pub fn new(entry: &ash::Entry, instance: &ash::Instance) -> Result<Self, vk::Result> {
        let messages: Box<Messages> = Box::default();
        let debug_utils = ext::debug_utils::Instance::new(entry, instance);
        let create = vk::DebugUtilsMessengerCreateInfoEXT::default()
            .message_severity(vk::DebugUtilsMessageSeverityFlagsEXT::ERROR)
            .message_type(
                vk::DebugUtilsMessageTypeFlagsEXT::GENERAL | vk::DebugUtilsMessageTypeFlagsEXT::VALIDATION,
            )
            .pfn_user_callback(Some(collect))
            .user_data((&raw const *messages).cast_mut().cast());
        // SAFETY: the instance has the extension (it was created with it), and the user data outlives
        // the messenger: both are dropped together, the messenger first.
        let messenger = unsafe { debug_utils.create_debug_utils_messenger(&create, None) }?;
        Ok(Validation { instance: debug_utils, messenger, messages })
    }

    /// The errors since the last check, as a failure of `operation`.
    pub fn check(&self, operation: &'static str) -> Result<(), DeviceError> {
        let messages = std::mem::take(&mut *self.messages.lock());
        if messages.is_empty() {
            return Ok(());
        }
        Err(DeviceError::LaunchFailed { operation, reason: messages.join("\n") })
    }

    /// # Safety
    /// The instance is still alive, and this is the last use.
    pub unsafe fn destroy(&self) {
        // SAFETY: as the caller promises.
        unsafe { self.instance.destroy_debug_utils_messenger(self.messenger, None) };
    }
}

/// The layer's callback: keeps the text of an error.
unsafe extern "system" fn collect(
    _severity: vk::DebugUtilsMessageSeverityFlagsEXT,
    _types: vk::DebugUtilsMessageTypeFlagsEXT,
    data: *const vk::DebugUtilsMessengerCallbackDataEXT<'_>,
    user: *mut c_void,
) -> vk::Bool32 {
    // SAFETY: `user` is the `Messages` given at creation, `data` is valid during the callback, and its
    // message is null or a C string.
    let (messages, text) = unsafe {
        let text = (*data).message_as_c_str().unwrap_or(c"(no text)").to_string_lossy();
        (&*user.cast::<Messages>(), text)
    };
    messages.lock().push(text.into_owned());
    vk::FALSE
}
