# How this machine behaves: when it crashes, when it is idle, when its power button is pressed.

function Step-Machine($Settings) {
    $control = 'HKLM:\SYSTEM\CurrentControlSet\Control\CrashControl'
    Set-Number $control 'AutoReboot' 1
    # 2: the kernel's memory.
    Set-Number $control 'CrashDumpEnabled' 2
    Set-Number $control 'LogEvent' 1
    Set-Number $control 'Overwrite' 1
    # An NMI of the host's makes a blue screen: so a server that hangs leaves a dump.
    Set-Number $control 'NMICrashDump' 1
    # A fault of the screen's driver or of a program must not wait for somebody to click.
    Set-Number 'HKLM:\SYSTEM\CurrentControlSet\Control\Windows' 'ErrorMode' 2
    # The power button shuts it down also when nobody is logged on.
    Set-Number 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System' 'shutdownwithoutlogon' 1
    $noSchemes = 0, 1
    # High performance; what a version does not know is left as it is.
    Invoke-Program 'machine' 'powercfg.exe' @('-setactive', '8c5e7fda-e8bf-4a96-9a85-a6e23a8c635c') $noSchemes | Out-Null
    Invoke-Program 'machine' 'powercfg.exe' @('-h', 'off') $noSchemes | Out-Null
    foreach ($timeout in 'monitor-timeout-ac', 'standby-timeout-ac', 'disk-timeout-ac') {
        Invoke-Program 'machine' 'powercfg.exe' @('-change', $timeout, '0') $noSchemes | Out-Null
    }
    # 3: shut down.
    Invoke-Program 'machine' 'powercfg.exe' @('-setacvalueindex', 'SCHEME_CURRENT', 'SUB_BUTTONS', 'PBUTTONACTION', '3') $noSchemes | Out-Null
    Invoke-Program 'machine' 'powercfg.exe' @('-setactive', 'SCHEME_CURRENT') $noSchemes | Out-Null
    return 'done'
}

# Microsoft's "Forcing a System Crash from the Keyboard": its driver stops Windows with MANUALLY_INITIATED_CRASH (0xE2).
function Step-CrashKeys($Settings) {
    foreach ($driver in 'i8042prt', 'kbdhid') {
        Set-Number "HKLM:\SYSTEM\CurrentControlSet\Services\$driver\Parameters" 'CrashOnCtrlScroll' 1
    }
    return 'done'
}

function Step-RemoteDesktop($Settings) {
    $server = 'HKLM:\SYSTEM\CurrentControlSet\Control\Terminal Server'
    Set-Number $server 'fDenyTSConnections' 0
    # Who connects says first who he is.
    Set-Number ($server + '\WinStations\RDP-Tcp') 'UserAuthentication' 1
    # The group's name differs by language, its number does not.
    Invoke-Program 'remote-desktop' 'netsh.exe' @('advfirewall', 'firewall', 'set', 'rule', 'group=@FirewallAPI.dll,-28752', 'new', 'enable=yes') | Out-Null
    return 'done'
}

# Remote Desktop Session Host, without licences: it works for 120 days, until a licence server is named.
function Step-SessionHost($Settings) {
    if (Add-Feature 'session-host' @('RDS-RD-Server')) { return 'restart' }
    return 'done'
}
