# Goes through the steps of settings.xml, each once, and goes on with the next after a restart: as the task Bulkhead, which
# begins with Windows. In the end it removes the passwords and the task, and writes finished.json, which the host reads
# through the guest agent.
$folder = Split-Path -Parent $MyInvocation.MyCommand.Path
foreach ($part in 'common', 'machine', 'drivers', 'disks', 'files', 'domain', 'finish') { . (Join-Path $folder ($part + '.ps1')) }

$commands = @{
    'machine' = 'Step-Machine'; 'drivers' = 'Step-Drivers'; 'remote-desktop' = 'Step-RemoteDesktop'; 'crash-keys' = 'Step-CrashKeys'
    'member' = 'Step-Member'; 'disks' = 'Step-Disks'; 'file-server' = 'Step-FileServer'
    'session-host' = 'Step-SessionHost'; 'domain-controller' = 'Step-DomainController'; 'domain-ready' = 'Step-DomainReady'
    'last-restart' = 'Step-LastRestart'
}
$most = 5

function Get-StepFile([string] $Name, [string] $Kind) { return Join-Path $Place ('steps\' + $Name + '.' + $Kind) }

function Save-Result([string] $Name, [string] $Result) {
    Set-Content -Path (Get-StepFile $Name 'result') -Value $Result -Encoding UTF8
}

# How often a step was begun: one that takes Windows down each time must not go on for ever.
function Add-Try([string] $Name) {
    $file = Get-StepFile $Name 'tries'
    $tries = 1
    if (Test-Path $file) { $tries = 1 + [int] (Get-Content $file) }
    Set-Content -Path $file -Value $tries
    return $tries
}

# @returns whether Windows is about to restart
function Invoke-Step([string] $Name, $Settings) {
    try {
        if ((Add-Try $Name) -gt $most) { throw ('it was begun ' + $most + ' times without an end') }
        Write-Log 'first-boot' ($Name + ': begins')
        $outcome = @(& $commands[$Name] $Settings)[-1]
        Save-Result $Name 'done'
        Write-Log 'first-boot' ($Name + ': ' + $outcome)
        if ($outcome -ne 'restart') { return $false }
        shutdown.exe /r /t 5 /c 'Bulkhead' | Out-Null
        return $true
    } catch {
        Write-Log 'first-boot' ($Name + ': failed: ' + $_.Exception.Message)
        Save-Result $Name ('failed: ' + $_.Exception.Message)
        return $false
    }
}

[System.IO.Directory]::CreateDirectory((Join-Path $Place 'steps')) | Out-Null
$settings = Read-Xml 'settings.xml'
$names = @($settings.SelectNodes('steps/step') | ForEach-Object { $_.InnerText })
foreach ($name in $names) {
    if (Test-Path (Get-StepFile $name 'result')) { continue }
    if (Invoke-Step $name $settings) { exit 0 }
}
Complete-Installation $settings $names
