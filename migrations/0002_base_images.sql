-- The public base images, the same in all regions: those that RunInstances can start from at once.

INSERT INTO images (image_id, account_id, region_id, image_name, image_family, image_version, description, status, size,
    platform, os_name, os_type, architecture, boot_mode, license_type, imds_support, nvme_support, is_copied,
    resource_group_id, creation_time, finish_time)
VALUES
    ('aliyun_3_x64_20G_alibase_20260101.vhd', 'system', '*', 'aliyun_3_x64_20G_alibase_20260101.vhd', 'acs:alibaba_cloud_linux_3_2104_lts_x64', '', '', 'Available', 20, 'Aliyun', 'Alibaba Cloud Linux  3.2104 LTS 64 bit', 'linux', 'x86_64', 'UEFI-Preferred', '', 'v2', 'supported', 0, '', 1767225600000, 1767225600000),
    ('aliyun_3_arm64_20G_alibase_20260101.vhd', 'system', '*', 'aliyun_3_arm64_20G_alibase_20260101.vhd', 'acs:alibaba_cloud_linux_3_2104_lts_arm64', '', '', 'Available', 20, 'Aliyun', 'Alibaba Cloud Linux  3.2104 LTS 64 bit ARM Edition', 'linux', 'arm64', 'UEFI', '', 'v2', 'supported', 0, '', 1767225600001, 1767225600001),
    ('ubuntu_24_04_x64_20G_alibase_20260101.vhd', 'system', '*', 'ubuntu_24_04_x64_20G_alibase_20260101.vhd', 'acs:ubuntu_24_04_x64', '', '', 'Available', 20, 'Ubuntu', 'Ubuntu  24.04 64 bit', 'linux', 'x86_64', 'UEFI-Preferred', '', 'v2', 'supported', 0, '', 1767225600002, 1767225600002),
    ('ubuntu_22_04_x64_20G_alibase_20260101.vhd', 'system', '*', 'ubuntu_22_04_x64_20G_alibase_20260101.vhd', 'acs:ubuntu_22_04_x64', '', '', 'Available', 20, 'Ubuntu', 'Ubuntu  22.04 64 bit', 'linux', 'x86_64', 'UEFI-Preferred', '', 'v2', 'supported', 0, '', 1767225600003, 1767225600003),
    ('debian_12_9_x64_20G_alibase_20260101.vhd', 'system', '*', 'debian_12_9_x64_20G_alibase_20260101.vhd', 'acs:debian_12_9_x64', '', '', 'Available', 20, 'Debian', 'Debian  12.9 64 bit', 'linux', 'x86_64', 'UEFI-Preferred', '', 'v2', 'supported', 0, '', 1767225600004, 1767225600004),
    ('centos_stream_9_x64_20G_alibase_20260101.vhd', 'system', '*', 'centos_stream_9_x64_20G_alibase_20260101.vhd', 'acs:centos_stream_9_x64', '', '', 'Available', 20, 'CentOS', 'CentOS Stream  9 64 bit', 'linux', 'x86_64', 'UEFI-Preferred', '', 'v2', 'supported', 0, '', 1767225600005, 1767225600005),
    ('anolisos_8_9_x64_20G_anck_alibase_20260101.vhd', 'system', '*', 'anolisos_8_9_x64_20G_anck_alibase_20260101.vhd', 'acs:anolisos_8_9_x64', '', '', 'Available', 20, 'Anolis', 'Anolis OS  8.9 ANCK 64 bit', 'linux', 'x86_64', 'UEFI-Preferred', '', 'v2', 'supported', 0, '', 1767225600006, 1767225600006),
    ('win2022_21H2_x64_dtc_en-us_40G_alibase_20260101.vhd', 'system', '*', 'win2022_21H2_x64_dtc_en-us_40G_alibase_20260101.vhd', 'acs:windows_server_2022_x64_en', '', '', 'Available', 40, 'Windows Server 2022', 'Windows Server  2022 Datacenter 64 bit English Edition', 'windows', 'x86_64', 'UEFI-Preferred', 'Aliyun', 'v1', 'supported', 0, '', 1767225600007, 1767225600007);

INSERT INTO image_disk_mappings (image_id, position, device, type, size, encrypted, snapshot_id)
SELECT image_id, 0, '/dev/xvda', 'system', size, 0, NULL FROM images WHERE account_id = 'system';
