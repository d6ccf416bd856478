# Drivers and the guest agent, from the virtio-win ISO.

function Find-VirtioDrive {
    foreach ($drive in Get-WmiObject Win32_LogicalDisk -Filter 'DriveType=5') {
        if (Test-Path ($drive.DeviceID + '\guest-agent')) { return $drive.DeviceID }
    }
    throw 'no drive has the virtio-win ISO in it'
}

# Windows asks about each publisher that it does not know: whoever has signed the drivers of this ISO is trusted.
function Add-Publisher([string] $File) {
    $signature = Get-AuthenticodeSignature $File
    if ($signature.Status.ToString() -ne 'Valid') {
        Write-Log 'drivers' ($File + ': signature ' + $signature.Status)
        return
    }
    $store = New-Object System.Security.Cryptography.X509Certificates.X509Store('TrustedPublisher', 'LocalMachine')
    $store.Open('ReadWrite')
    $store.Add($signature.SignerCertificate)
    $store.Close()
}

function Install-DriverFolder([string] $Folder) {
    foreach ($file in Get-ChildItem -Path $Folder -Filter '*.cat') { Add-Publisher $file.FullName }
    foreach ($file in Get-ChildItem -Path $Folder -Filter '*.inf') {
        # 259: there is no such device, and the driver is kept for when there is; 3010: a restart is needed.
        Invoke-Program 'drivers' 'pnputil.exe' @('-i', '-a', $file.FullName) @(0, 259, 3010) | Out-Null
    }
}

# One by one, for Windows that the guest tools' installer does not support.
function Install-Drivers([string] $Drive, $Settings) {
    $architecture = Get-Text $Settings 'architecture'
    foreach ($driver in 'Balloon', 'NetKVM', 'pvpanic', 'vioscsi', 'vioserial', 'viostor', 'viorng') {
        $folders = @($Settings.SelectNodes('driverFolders/folder') | ForEach-Object {
            Join-Path $Drive ('\' + $driver + '\' + $_.InnerText + '\' + $architecture)
        } | Where-Object { Test-Path $_ })
        if ($folders.Count -eq 0) {
            Write-Log 'drivers' ($driver + ': not on the ISO for this Windows')
            continue
        }
        Install-DriverFolder $folders[0]
    }
    $agent = Join-Path $Drive '\guest-agent\qemu-ga-x86_64.msi'
    Invoke-Program 'drivers' 'msiexec.exe' @('/i', $agent, '/qn', '/norestart') @(0, 1638, 3010) | Out-Null
}

function Step-Drivers($Settings) {
    $drive = Find-VirtioDrive
    $tools = Join-Path $drive '\virtio-win-guest-tools.exe'
    if ((Get-Text $Settings 'guestTools') -eq 'true' -and (Test-Path $tools)) {
        # 1638: another version is there already; 3010, 1641: a restart is needed.
        $code = Invoke-Program 'drivers' $tools @('/install', '/passive', '/quiet', '/norestart') @(0, 1638, 1641, 3010)
        if ($code -eq 3010 -or $code -eq 1641) { return 'restart' }
    } else {
        Install-Drivers $drive $Settings
    }
    $service = Get-Service 'QEMU-GA' -ErrorAction SilentlyContinue
    if ($service -eq $null) { throw 'the guest agent was not installed' }
    Set-Service 'QEMU-GA' -StartupType Automatic
    if ($service.Status.ToString() -ne 'Running') { Start-Service 'QEMU-GA' }
    return 'done'
}
