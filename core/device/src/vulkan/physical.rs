//! The physical devices: which are there, what each can do, which is taken.

use super::instance::{INSTALL, no_instance};
use crate::DeviceError;
use ash::vk;
use pullback_base::{DType, GROUP_LANES};
use std::ffi::CStr;

/// Lanes within one dispatch are 32-bit in the kernel: no dispatch is larger than 2^31 lanes.
const MOST_GROUPS: u32 = (1 << 31) / GROUP_LANES;

/// What a physical device is and can do, as far as kernels and memory are concerned.
pub struct Abilities {
    pub name: String,
    pub is_hardware: bool,
    pub max_groups: u32,
    pub max_allocation_bytes: u64,
    pub features: Features,
    /// The page size for importing host memory, where that is possible.
    pub import_page_bytes: Option<usize>,
    pub has_memory_budget: bool,
    pub has_float_atomics: bool,
    pub is_portability_subset: bool,
}

/// The features that kernels may use; every one the device has is turned on.
#[derive(Clone, Copy, Default)]
pub struct Features {
    pub float64: bool,
    pub float16: bool,
    pub int16: bool,
    pub int8: bool,
    pub storage16: bool,
    pub storage8: bool,
    pub buffer_int64_atomics: bool,
    pub shared_int64_atomics: bool,
    pub float32_atomic_add: bool,
    pub float64_atomic_add: bool,
    pub memory_model: bool,
    pub memory_model_device_scope: bool,
    pub variable_pointers: bool,
    pub scalar_block_layout: bool,
    /// Whether kernels can ask for exact signed zeros, infinities and NaNs, in every width they
    /// compute in.
    pub special_floats: bool,
}

impl Abilities {
    /// Whether kernels may load, store and compute with this dtype.
    pub fn supports(&self, dtype: DType) -> bool {
        let has = &self.features;
        match dtype {
            DType::F32 | DType::I32 | DType::U32 | DType::I64 | DType::U64 => true,
            DType::F64 => has.float64,
            DType::F16 => has.float16 && has.storage16,
            // Loaded and stored as 16-bit integers, computed in f32.
            DType::BF16 | DType::I16 | DType::U16 => has.int16 && has.storage16,
            // A bool is a byte in memory.
            DType::Bool | DType::I8 | DType::U8 => has.int8 && has.storage8,
        }
    }
}

/// A physical device that can run kernels.
pub struct Candidate {
    pub handle: vk::PhysicalDevice,
    pub queue_family: u32,
    pub abilities: Abilities,
    preference: u32,
}

/// The best device that has what kernels need.
pub fn choose(instance: &ash::Instance) -> Result<Candidate, DeviceError> {
    // SAFETY: the instance is alive.
    let handles = unsafe { instance.enumerate_physical_devices() }.map_err(no_instance)?;
    let mut refused = Vec::new();
    let mut candidates = Vec::new();
    for handle in handles {
        match inspect(instance, handle) {
            Ok(candidate) => candidates.push(candidate),
            Err(reason) => refused.push(reason),
        }
    }
    // The first of equals: the driver's own order.
    candidates.into_iter().rev().max_by_key(|candidate| candidate.preference).ok_or_else(|| {
        DeviceError::NoDevice {
            kind: "Vulkan",
            reason: if refused.is_empty() {
                "the drivers report none".to_owned()
            } else {
                refused.join("; ")
            },
            help: INSTALL.to_owned(),
        }
    })
}

/// The device's abilities, or what it lacks.
fn inspect(instance: &ash::Instance, handle: vk::PhysicalDevice) -> Result<Candidate, String> {
    // SAFETY: (all calls of this function) the handle comes from this live instance, and structures
    // of Vulkan 1.1 and 1.2 are only chained once the device's version is known.
    let properties = unsafe { instance.get_physical_device_properties(handle) };
    let name = properties.device_name_as_c_str().unwrap_or(c"unnamed").to_string_lossy().into_owned();
    if properties.api_version < vk::API_VERSION_1_2 {
        return Err(format!("{name} is older than Vulkan 1.2"));
    }
    // SAFETY: as above.
    let families = unsafe { instance.get_physical_device_queue_family_properties(handle) };
    let queue_family = families
        .iter()
        .position(|family| family.queue_flags.contains(vk::QueueFlags::COMPUTE))
        .ok_or_else(|| format!("{name} has no compute queue"))? as u32;
    // SAFETY: as above.
    let extensions = unsafe { instance.enumerate_device_extension_properties(handle) }
        .map_err(|error| format!("{name}: {error}"))?;
    let has_extension =
        |wanted: &CStr| extensions.iter().any(|have| have.extension_name_as_c_str() == Ok(wanted));
    let has_float_atomics = has_extension(ash::ext::shader_atomic_float::NAME);
    let has_host_import = has_extension(ash::ext::external_memory_host::NAME);

    let mut limits = vk::PhysicalDeviceMaintenance3Properties::default();
    let mut host_import = vk::PhysicalDeviceExternalMemoryHostPropertiesEXT::default();
    let mut floats = vk::PhysicalDeviceFloatControlsProperties::default();
    let mut more = vk::PhysicalDeviceProperties2::default().push_next(&mut limits).push_next(&mut floats);
    if has_host_import {
        more = more.push_next(&mut host_import);
    }
    // SAFETY: as above.
    unsafe { instance.get_physical_device_properties2(handle, &mut more) };

    let mut features = query_features(instance, handle, has_float_atomics)
        .map_err(|lacks| format!("{name} lacks {lacks}"))?;
    features.special_floats = floats.shader_signed_zero_inf_nan_preserve_float32 == vk::TRUE
        && (!features.float64 || floats.shader_signed_zero_inf_nan_preserve_float64 == vk::TRUE)
        && (!features.float16 || floats.shader_signed_zero_inf_nan_preserve_float16 == vk::TRUE);
    let kind = properties.device_type;
    let preference = match kind {
        vk::PhysicalDeviceType::DISCRETE_GPU => 3,
        vk::PhysicalDeviceType::INTEGRATED_GPU => 2,
        vk::PhysicalDeviceType::VIRTUAL_GPU => 1,
        _ => 0,
    };
    let page_bytes = usize::try_from(host_import.min_imported_host_pointer_alignment).unwrap_or(0);
    let abilities = Abilities {
        name,
        is_hardware: kind != vk::PhysicalDeviceType::CPU,
        max_groups: properties.limits.max_compute_work_group_count[0].min(MOST_GROUPS),
        max_allocation_bytes: limits.max_memory_allocation_size,
        features,
        import_page_bytes: Some(page_bytes).filter(|bytes| has_host_import && bytes.is_power_of_two()),
        has_memory_budget: has_extension(ash::ext::memory_budget::NAME),
        has_float_atomics,
        is_portability_subset: has_extension(ash::khr::portability_subset::NAME),
    };
    Ok(Candidate { handle, queue_family, abilities, preference })
}

/// The optional features, or the name of a missing necessary one.
fn query_features(
    instance: &ash::Instance,
    handle: vk::PhysicalDevice,
    has_float_atomics: bool,
) -> Result<Features, &'static str> {
    let mut v11 = vk::PhysicalDeviceVulkan11Features::default();
    let mut v12 = vk::PhysicalDeviceVulkan12Features::default();
    let mut float_atomics = vk::PhysicalDeviceShaderAtomicFloatFeaturesEXT::default();
    let mut query = vk::PhysicalDeviceFeatures2::default().push_next(&mut v11).push_next(&mut v12);
    if has_float_atomics {
        query = query.push_next(&mut float_atomics);
    }
    // SAFETY: the handle comes from this live instance, and the device is of Vulkan 1.2 at least.
    unsafe { instance.get_physical_device_features2(handle, &mut query) };
    let core = query.features;
    let on = |feature: vk::Bool32| feature == vk::TRUE;
    for (present, name) in [
        (v12.buffer_device_address, "bufferDeviceAddress"),
        (v12.timeline_semaphore, "timelineSemaphore"),
        (core.shader_int64, "shaderInt64"),
    ] {
        if !on(present) {
            return Err(name);
        }
    }
    Ok(Features {
        float64: on(core.shader_float64),
        float16: on(v12.shader_float16),
        int16: on(core.shader_int16),
        int8: on(v12.shader_int8),
        storage16: on(v11.storage_buffer16_bit_access),
        storage8: on(v12.storage_buffer8_bit_access),
        buffer_int64_atomics: on(v12.shader_buffer_int64_atomics),
        shared_int64_atomics: on(v12.shader_shared_int64_atomics),
        float32_atomic_add: on(float_atomics.shader_buffer_float32_atomic_add),
        float64_atomic_add: on(float_atomics.shader_buffer_float64_atomic_add),
        memory_model: on(v12.vulkan_memory_model),
        memory_model_device_scope: on(v12.vulkan_memory_model_device_scope),
        variable_pointers: on(v11.variable_pointers) && on(v11.variable_pointers_storage_buffer),
        scalar_block_layout: on(v12.scalar_block_layout),
        // A property, not a feature: the caller reads it.
        special_floats: false,
    })
}

/// A logical device with one compute queue and every feature kernels may use.
pub fn create_device(instance: &ash::Instance, candidate: &Candidate) -> Result<ash::Device, vk::Result> {
    let Candidate { handle, queue_family, abilities, .. } = candidate;
    let has = &abilities.features;
    let core = vk::PhysicalDeviceFeatures::default()
        .shader_int64(true)
        .shader_float64(has.float64)
        .shader_int16(has.int16);
    let mut v11 = vk::PhysicalDeviceVulkan11Features::default()
        .storage_buffer16_bit_access(has.storage16)
        .variable_pointers(has.variable_pointers)
        .variable_pointers_storage_buffer(has.variable_pointers);
    let mut v12 = vk::PhysicalDeviceVulkan12Features::default()
        .buffer_device_address(true)
        .timeline_semaphore(true)
        .shader_float16(has.float16)
        .shader_int8(has.int8)
        .storage_buffer8_bit_access(has.storage8)
        .shader_buffer_int64_atomics(has.buffer_int64_atomics)
        .shader_shared_int64_atomics(has.shared_int64_atomics)
        .vulkan_memory_model(has.memory_model)
        .vulkan_memory_model_device_scope(has.memory_model_device_scope)
        .scalar_block_layout(has.scalar_block_layout);
    let mut float_atomics = vk::PhysicalDeviceShaderAtomicFloatFeaturesEXT::default()
        .shader_buffer_float32_atomics(has.float32_atomic_add)
        .shader_buffer_float32_atomic_add(has.float32_atomic_add)
        .shader_buffer_float64_atomics(has.float64_atomic_add)
        .shader_buffer_float64_atomic_add(has.float64_atomic_add);
    let extensions: Vec<_> = [
        (abilities.import_page_bytes.is_some(), ash::ext::external_memory_host::NAME),
        (abilities.has_memory_budget, ash::ext::memory_budget::NAME),
        (abilities.has_float_atomics, ash::ext::shader_atomic_float::NAME),
        // A device that has this one wants it turned on.
        (abilities.is_portability_subset, ash::khr::portability_subset::NAME),
    ]
    .into_iter()
    .filter_map(|(on, name)| on.then_some(name.as_ptr()))
    .collect();
    let queues =
        [vk::DeviceQueueCreateInfo::default().queue_family_index(*queue_family).queue_priorities(&[1.0])];
    let mut create = vk::DeviceCreateInfo::default()
        .queue_create_infos(&queues)
        .enabled_features(&core)
        .enabled_extension_names(&extensions)
        .push_next(&mut v11)
        .push_next(&mut v12);
    if abilities.has_float_atomics {
        create = create.push_next(&mut float_atomics);
    }
    // SAFETY: the handle comes from this live instance; only reported features and extensions are on.
    unsafe { instance.create_device(*handle, &create, None) }
}
